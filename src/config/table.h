// config/table.h: reads one TOML table key by key and complains, with line numbers, of values of a
// wrong kind or range and, at the end, of every key that nobody asked for.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

namespace wharf::config {

// Collects complaints; shared by all tables of a file.
class Complaints {
 public:
  explicit Complaints(std::string file) : file_(std::move(file)) {}
  void add(const toml::source_region& where, const std::string& what) {
    lines_.push_back(file_ + ":" + std::to_string(where.begin.line) + ": " + what);
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  std::string file_;
  std::vector<std::string> lines_;
};

class Table {
 public:
  // `name` as in complaints, "" for the whole file.
  Table(const toml::table& table, std::string name, Complaints& complaints)
      : table_(table), name_(std::move(name)), complaints_(complaints) {}

  void read(std::string_view key, std::string& out);
  void read(std::string_view key, bool& out);
  template <std::unsigned_integral Int>
  void read(std::string_view key, Int& out, std::uint64_t min = 0,
            std::uint64_t max = std::numeric_limits<Int>::max()) {
    if (std::optional<std::uint64_t> value = number(key, min, max)) out = static_cast<Int>(*value);
  }
  // One of `words`; `out` becomes the value beside it.
  template <class Enum>
  void read(std::string_view key, Enum& out,
            std::initializer_list<std::pair<std::string_view, Enum>> words) {
    std::string word;
    read(key, word);
    if (word.empty()) return;
    std::string known;
    for (const auto& [name, value] : words) {
      if (name == word) {
        out = value;
        return;
      }
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    complain(key, "must be one of: " + known);
  }
  // A list of texts; `take` returns what is wrong with one, or nothing.
  void read_each(std::string_view key, const std::function<std::string(std::string_view)>& take);

  void in_table(std::string_view key, const std::function<void(Table&)>& read);
  void in_each_table(std::string_view key, const std::function<void(Table&)>& read);

  bool has(std::string_view key) const { return table_.contains(key); }
  void complain(std::string_view key, const std::string& what);
  // Complains of the keys that were not read. Last call.
  void finish();

 private:
  const toml::node* find(std::string_view key);
  std::optional<std::uint64_t> number(std::string_view key, std::uint64_t min, std::uint64_t max);
  std::string full_name(std::string_view key) const;

  const toml::table& table_;
  std::string name_;
  Complaints& complaints_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace wharf::config
