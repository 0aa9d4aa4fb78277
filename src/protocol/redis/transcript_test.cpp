// Conversations as text files (tests/wire/redis/*.wire), each held with one shard and with two,
// with the clients' bytes in one piece, one by one and in odd pieces, and broken off after every
// step. A line:
//
//   A> WORDS         client A sends a request; a word may be "quoted" with \r \n \" \xHH
//   A>> bytes        client A sends these: `;` stands for CRLF, \; for itself, \xHH for a byte
//   A< pattern       what A gets next, in the same writing; <n> is any number, <line> up to the
//   CRLF A closed         the server is done with A wait 3000        so many milliseconds pass #
//   comment
//
// Client A lives on the first shard, the second name on the next. At the end nobody may have got
// more than was expected.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "protocol/redis/testing.h"

namespace wharf::redis::testing {
namespace {

struct Step {
  enum class Kind { send, expect, closed, wait };
  Kind kind = Kind::send;
  std::string client;
  std::string bytes;
  int wait_ms = 0;
  int line = 0;
};

char hex_byte(std::string_view text, std::size_t at) {
  return static_cast<char>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16));
}

std::string raw_bytes(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ';') {
      bytes += "\r\n";
    } else if (text[i] == '\\' && text[i + 1] == 'x') {
      bytes += hex_byte(text, i + 2);
      i += 3;
    } else if (text[i] == '\\') {
      bytes += text[++i];
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    std::string& word = words.emplace_back();
    bool quoted = text[i] == '"';
    if (quoted) ++i;
    for (; i < text.size() && text[i] != (quoted ? '"' : ' '); ++i) {
      if (!quoted || text[i] != '\\') {
        word += text[i];
      } else if (text[++i] == 'x') {
        word += hex_byte(text, i + 1);
        i += 2;
      } else {
        word += text[i] == 'r' ? '\r' : text[i] == 'n' ? '\n' : text[i];
      }
    }
  }
  return words;
}

std::vector<Step> load(const std::filesystem::path& file) {
  std::vector<Step> steps;
  std::ifstream in(file);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    Step step;
    step.line = number;
    std::size_t space = line.find(' ');
    std::string head = line.substr(0, space);
    std::string rest = line.substr(space + 1);
    step.client = head.substr(0, 1);
    if (head == "wait") {
      step.kind = Step::Kind::wait;
      step.wait_ms = std::stoi(rest);
    } else if (head.ends_with(">>")) {
      step.bytes = raw_bytes(rest);
    } else if (head.ends_with(">")) {
      step.bytes = request_of(words_of(rest));
    } else if (head.ends_with("<")) {
      step.kind = Step::Kind::expect;
      step.bytes = raw_bytes(rest);
    } else {
      step.kind = Step::Kind::closed;
    }
    steps.push_back(step);
  }
  return steps;
}

// How many bytes of `output` the pattern is, or npos.
std::size_t match(std::string_view pattern, std::string_view output) {
  std::size_t at = 0;
  while (!pattern.empty()) {
    if (pattern.starts_with("<n>")) {
      pattern.remove_prefix(3);
      while (at < output.size() && isdigit(output[at])) ++at;
    } else if (pattern.starts_with("<line>")) {
      pattern.remove_prefix(6);
      at = std::min(output.find("\r\n", at), output.size());
    } else {
      if (at == output.size() || output[at] != pattern[0]) return std::string_view::npos;
      pattern.remove_prefix(1);
      ++at;
    }
  }
  return at;
}

// What one read of the server gets: 0 all, else random pieces of so many bytes at most.
struct Pieces {
  std::size_t size_max = 0;
  std::minstd_rand random{7};

  void send(World& world, TestClient& client, std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t size = size_max == 0 ? bytes.size() : 1 + random() % size_max;
      client.input += bytes.substr(0, size);
      bytes.remove_prefix(std::min(size, bytes.size()));
      world.settle();
    }
  }
};

void play(const Step& step, World& world, Pieces& pieces) {
  TestClient& client = world[step.kind == Step::Kind::wait ? "A" : step.client];
  switch (step.kind) {
    case Step::Kind::send:
      return pieces.send(world, client, step.bytes);
    case Step::Kind::expect: {
      std::size_t size = match(step.bytes, client.output);
      ASSERT_NE(size, std::string_view::npos)
          << "line " << step.line << ": got " << ::testing::PrintToString(client.output);
      client.output.erase(0, size);
      return;
    }
    case Step::Kind::closed:
      EXPECT_TRUE(client.closed) << "line " << step.line;
      return;
    case Step::Kind::wait:
      return world.pass(std::chrono::milliseconds(step.wait_ms));
  }
}

RedisOptions options_for(const std::filesystem::path& file) {
  RedisOptions options;
  if (file.stem().string().starts_with("login")) options.default_user = "";
  return options;
}

class Wire : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Wire, HeldWhateverThePiecesAndTheShards) {
  std::vector<Step> steps = load(GetParam());
  for (auto shards : std::to_array<std::uint16_t>({1, 2})) {
    for (auto size_max : std::to_array<std::size_t>({0, 1, 2, 5, 13})) {
      SCOPED_TRACE(std::to_string(shards) + " shards, pieces of " + std::to_string(size_max));
      World world(shards, options_for(GetParam()));
      Pieces pieces{size_max};
      for (const Step& step : steps) {
        play(step, world, pieces);
        if (HasFatalFailure()) return;
      }
      for (const Step& step : steps) {
        if (step.kind == Step::Kind::wait) continue;
        EXPECT_EQ(world[step.client].take(), "");
      }
    }
  }
}

TEST_P(Wire, BrokenOffAfterEveryStep) {
  std::vector<Step> steps = load(GetParam());
  for (auto shards : std::to_array<std::uint16_t>({1, 2})) {
    for (std::size_t last = 0; last < steps.size(); ++last) {
      World world(shards, options_for(GetParam()));
      Pieces pieces;
      for (std::size_t i = 0; i <= last; ++i) play(steps[i], world, pieces);
      world.hang_up_all();
      EXPECT_EQ(world.listeners(), 0u) << "after line " << steps[last].line;
    }
  }
}

// A request that is half there when the peer goes leaves nothing either.
TEST_P(Wire, BrokenOffWithinEveryRequest) {
  std::vector<Step> steps = load(GetParam());
  for (std::size_t last = 0; last < steps.size(); ++last) {
    if (steps[last].kind != Step::Kind::send) continue;
    World world(2, options_for(GetParam()));
    Pieces pieces;
    for (std::size_t i = 0; i < last; ++i) play(steps[i], world, pieces);
    world[steps[last].client].input += steps[last].bytes.substr(0, steps[last].bytes.size() / 2);
    // Not settled: what is on its way between shards meets the end of the session.
    world[steps[last].client].move();
    world.hang_up_all();
    EXPECT_EQ(world.listeners(), 0u) << "within line " << steps[last].line;
  }
}

std::vector<std::filesystem::path> all_files() {
  std::vector<std::filesystem::path> files;
  auto folder = std::filesystem::path(__FILE__).parent_path() / "../../../tests/wire/redis";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".wire") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

INSTANTIATE_TEST_SUITE_P(Files, Wire, ::testing::ValuesIn(all_files()),
                         [](const auto& file) { return file.param.stem().string(); });

}  // namespace
}  // namespace wharf::redis::testing
