#include "protocol/amqp/transcript.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <random>
#include <stdexcept>

#include <gtest/gtest.h>

#include "protocol/amqp/testing.h"

namespace wharf::amqp::testing {

namespace {

using Kind = PatternItem::Kind;

// ---- Reading

class LineParser {
 public:
  LineParser(std::string_view text, Step& step) : rest_(text), step_(step) {}

  void parse() {
    while (skip_space()) {
      if (rest_[0] == '@') {
        parse_frame();
      } else if (rest_[0] == '"' || rest_.starts_with("ss\"") || rest_.starts_with("ls\"")) {
        parse_text();
      } else if (rest_[0] == '<' || rest_[0] == '*') {
        parse_wildcard();
      } else {
        parse_hex();
      }
    }
  }

 private:
  bool skip_space() {
    std::size_t start = rest_.find_first_not_of(' ');
    rest_ = start == std::string_view::npos ? std::string_view() : rest_.substr(start);
    return !rest_.empty() && rest_[0] != '#';
  }
  void fail(const char* why) const {
    throw std::runtime_error(step_.where + ": " + why + " at " + std::string(rest_));
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void put(std::byte value) { step_.items.push_back({Kind::byte, value}); }

  void parse_frame() {
    rest_.remove_prefix(1);
    auto [end, code] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), step_.channel);
    if (code != std::errc()) fail("no channel");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    step_.framed = true;
    if (take("h")) step_.type = FrameType::header;
    if (take("b")) step_.type = FrameType::body;
  }

  void parse_text() {
    std::size_t length_size = take("ss") ? 1 : take("ls") ? 4 : 0;
    std::size_t end = rest_.find('"', 1);
    if (end == std::string_view::npos) fail("text without an end");
    std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    for (std::size_t i = length_size; i-- > 0;) {
      put(static_cast<std::byte>(text.size() >> (8 * i) & 0xff));
    }
    for (std::byte octet : bytes_of(text)) put(octet);
  }

  void parse_wildcard() {
    if (take("**")) return step_.items.push_back({Kind::any});
    if (take("<ss>")) return step_.items.push_back({Kind::short_text});
    if (take("<ls>")) return step_.items.push_back({Kind::long_text});
    if (take("<rest>")) return step_.items.push_back({Kind::rest});
    fail("unknown wildcard");
  }

  void parse_hex() {
    unsigned value = 0;
    auto [end, code] = std::from_chars(rest_.data(), rest_.data() + 2, value, 16);
    if (rest_.size() < 2 || code != std::errc() || end != rest_.data() + 2) fail("no hex byte");
    put(static_cast<std::byte>(value));
    rest_.remove_prefix(2);
  }

  std::string_view rest_;
  Step& step_;
};

Step parse_step(std::string_view line, const std::string& where) {
  Step step;
  step.where = where;
  if (line.starts_with("C> ") || line.starts_with("S< ")) {
    step.kind = line[0] == 'C' ? Step::Kind::send : Step::Kind::expect;
    LineParser(line.substr(3), step).parse();
  } else if (line.starts_with("wait ")) {
    step.kind = Step::Kind::wait;
    step.wait_ms = std::stoi(std::string(line.substr(5)));
  } else if (line.starts_with("closed")) {
    step.kind = Step::Kind::closed;
  } else {
    throw std::runtime_error(where + ": what is this?");
  }
  return step;
}

bool match_payload(const std::vector<PatternItem>& items, Bytes payload) {
  Reader in(payload);
  for (const PatternItem& item : items) {
    switch (item.kind) {
      case Kind::byte:
        if (in.be<std::uint8_t>() != std::to_integer<std::uint8_t>(item.value)) return false;
        break;
      case Kind::any:
        in.take(1);
        break;
      case Kind::short_text:
        in.take(in.be<std::uint8_t>());
        break;
      case Kind::long_text:
        in.take(in.be<std::uint32_t>());
        break;
      case Kind::rest:
        in.take(in.left());
        break;
    }
  }
  return in.finish(true).value_or(false);
}

}  // namespace

Transcript load_transcript(const std::filesystem::path& file) {
  Transcript script{file.stem().string(), {}};
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    std::string where = file.filename().string() + ":" + std::to_string(number);
    if (line.starts_with("include ")) {
      Transcript other = load_transcript(file.parent_path() / line.substr(8));
      script.steps.insert(script.steps.end(), other.steps.begin(), other.steps.end());
    } else {
      script.steps.push_back(parse_step(line, where));
    }
  }
  return script;
}

ByteVector bytes_of_step(const Step& step) {
  ByteVector bytes;
  Writer out(bytes);
  if (step.framed) {
    out.be(static_cast<std::uint8_t>(step.type));
    out.be(step.channel);
    out.be(static_cast<std::uint32_t>(step.items.size()));
  }
  for (const PatternItem& item : step.items) out.be(std::to_integer<std::uint8_t>(item.value));
  if (step.framed) out.be(std::to_integer<std::uint8_t>(frame_end));
  return bytes;
}

bool matches(const Step& step, Bytes output, std::size_t& used) {
  if (!step.framed) {
    used = step.items.size();
    return output.size() >= used && match_payload(step.items, output.first(used));
  }
  Result<std::optional<Frame>> frame = read_frame(output, 1 << 20);
  if (!frame || !*frame) return false;
  used = size_of(**frame);
  return (*frame)->type == step.type && (*frame)->channel == step.channel &&
         match_payload(step.items, (*frame)->payload);
}

namespace {

// Everything that a transcript sends, in pieces of at most `most` bytes; 0: a line is a piece.
class Replay {
 public:
  explicit Replay(std::size_t most, unsigned seed = 0) : most_(most), random_(seed) {}

  void step(const Step& step) {
    switch (step.kind) {
      case Step::Kind::send:
        return send(bytes_of_step(step));
      case Step::Kind::expect:
        return expect(step);
      case Step::Kind::closed:
        EXPECT_TRUE(client_.session->closing()) << step.where;
        return;
      case Step::Kind::wait:
        return client_.pass(std::chrono::milliseconds(step.wait_ms));
    }
  }
  void expect_no_more(const std::string& name) {
    EXPECT_EQ(seen_, client_.raw.size()) << name << " has more to say";
  }
  void hang_up(const std::string& where) {
    client_.hang_up();
    EXPECT_EQ(core_.sessions(), 0u) << where;
    EXPECT_EQ(core_.consumers(), 0u) << where;
    EXPECT_EQ(core_.leased(), 0u) << where;
  }

 private:
  void send(Bytes bytes) {
    while (!bytes.empty()) {
      std::size_t size = bytes.size();
      if (most_ > 0) size = std::min<std::size_t>(size, 1 + random_() % most_);
      client_.bytes(bytes.first(size));
      bytes = bytes.subspan(size);
    }
  }
  void expect(const Step& step) {
    Bytes output = bytes_of(client_.raw).subspan(seen_);
    std::size_t used = 0;
    bool matched = matches(step, output, used);
    std::string shown;
    schema::detail::print_value(shown, output.first(std::min<std::size_t>(output.size(), 400)));
    ASSERT_TRUE(matched) << step.where << " got " << shown;
    seen_ += used;
  }

  FakeCore core_;
  Client client_{core_};
  std::size_t most_;
  std::size_t seen_ = 0;
  std::mt19937 random_;
};

std::filesystem::path folder() {
  return std::filesystem::path(__FILE__).parent_path() / "../../../tests/wire/amqp";
}

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().extension() == ".wire") found.push_back(entry.path().stem().string());
  }
  std::ranges::sort(found);
  return found;
}

class Wire : public ::testing::TestWithParam<std::string> {
 protected:
  Transcript script_ = load_transcript(folder() / (GetParam() + ".wire"));

  void replay(Replay run) {
    for (const Step& step : script_.steps) {
      run.step(step);
      if (HasFatalFailure()) break;
    }
    run.expect_no_more(script_.name);
    run.hang_up(script_.name);
  }
};

TEST_P(Wire, AsItIsWritten) { replay(Replay(0)); }

TEST_P(Wire, ByteByByte) { replay(Replay(1)); }

TEST_P(Wire, InRandomPieces) {
  for (unsigned seed = 1; seed <= 10; ++seed) replay(Replay(7 * seed, seed));
}

TEST_P(Wire, HungUpAfterEachStep) {
  for (std::size_t count = 0; count <= script_.steps.size(); ++count) {
    Replay run(0);
    for (std::size_t i = 0; i < count; ++i) run.step(script_.steps[i]);
    run.hang_up(script_.name + " after step " + std::to_string(count));
  }
}

std::string case_name(const ::testing::TestParamInfo<std::string>& given) { return given.param; }

INSTANTIATE_TEST_SUITE_P(Amqp, Wire, ::testing::ValuesIn(names()), case_name);

}  // namespace
}  // namespace wharf::amqp::testing
