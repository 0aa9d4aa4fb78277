#include "config/table.h"

namespace wharf::config {

const toml::node* Table::find(std::string_view key) {
  read_.emplace(key);
  return table_.get(key);
}

std::string Table::full_name(std::string_view key) const {
  return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

void Table::complain(std::string_view key, const std::string& what) {
  const toml::node* node = table_.get(key);
  complaints_.add(node ? node->source() : table_.source(), full_name(key) + " " + what);
}

void Table::read(std::string_view key, std::string& out) {
  const toml::node* node = find(key);
  if (!node) return;
  if (auto value = node->value_exact<std::string>()) {
    out = *value;
  } else {
    complain(key, "must be a text");
  }
}

void Table::read(std::string_view key, bool& out) {
  const toml::node* node = find(key);
  if (!node) return;
  if (auto value = node->value_exact<bool>()) {
    out = *value;
  } else {
    complain(key, "must be true or false");
  }
}

std::optional<std::uint64_t> Table::number(std::string_view key, std::uint64_t min,
                                           std::uint64_t max) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  auto value = node->value_exact<std::int64_t>();
  if (value && *value >= 0) {
    auto magnitude = static_cast<std::uint64_t>(*value);
    if (magnitude >= min && magnitude <= max) return magnitude;
  }
  complain(key, "must be a number from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

void Table::read_each(std::string_view key,
                      const std::function<std::string(std::string_view)>& take) {
  const toml::node* node = find(key);
  if (!node) return;
  const toml::array* array = node->as_array();
  if (!array) return complain(key, "must be a list of texts");
  for (const toml::node& element : *array) {
    auto text = element.value_exact<std::string>();
    std::string wrong = text ? take(*text) : "must be a text";
    if (!wrong.empty()) complaints_.add(element.source(), full_name(key) + ": " + wrong);
  }
}

void Table::in_table(std::string_view key, const std::function<void(Table&)>& read) {
  const toml::node* node = find(key);
  if (!node) return;
  const toml::table* table = node->as_table();
  if (!table) return complain(key, "must be a table");
  Table inner(*table, full_name(key), complaints_);
  read(inner);
  inner.finish();
}

void Table::in_each_table(std::string_view key, const std::function<void(Table&)>& read) {
  const toml::node* node = find(key);
  if (!node) return;
  const toml::array* array = node->as_array();
  if (!array || !array->is_array_of_tables()) {
    return complain(key, "must be written as [[" + full_name(key) + "]]");
  }
  for (const toml::node& element : *array) {
    Table inner(*element.as_table(), full_name(key), complaints_);
    read(inner);
    inner.finish();
  }
}

void Table::finish() {
  for (const auto& [key, node] : table_) {
    if (read_.contains(key.str())) continue;
    complaints_.add(key.source(), full_name(key.str()) + " is not a known key");
  }
}

}  // namespace wharf::config
