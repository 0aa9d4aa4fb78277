// protocol/amqp/transcript.h: for tests: conversations as text files (tests/wire/amqp/*.wire). A
// line:
//
//   C> bytes            the client sends
//   S< pattern          the server's next frame (or its greeting)
//   closed              the server is done with the connection
//   wait 3000           so many milliseconds pass
//   include other.wire  another conversation first
//   # comment           also behind two spaces at the end of a line
//
// Bytes are hex digits, "text" (its bytes alone), ss"text" and ls"text" (behind a length of one and
// of four bytes). @1 makes the rest of the line the payload of a method frame on channel 1, @1h of
// a header frame, @1b of a body frame. A pattern may hold ** (any byte), <ss> and <ls> (any short
// or long string) and <rest> (all that is left of the frame).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/amqp/frame.h"
#include "wire/writer.h"

namespace wharf::amqp::testing {

struct PatternItem {
  enum class Kind : std::uint8_t { byte, any, short_text, long_text, rest };
  Kind kind = Kind::byte;
  std::byte value{};
};

struct Step {
  enum class Kind : std::uint8_t { send, expect, closed, wait };
  Kind kind = Kind::send;
  std::vector<PatternItem> items{};  // of the payload, if it is a frame
  bool framed = false;
  FrameType type = FrameType::method;
  std::uint16_t channel = 0;
  int wait_ms = 0;
  std::string where{};  // file and line
};

struct Transcript {
  std::string name;
  std::vector<Step> steps;
};

// Throws std::runtime_error with file and line when the text makes no sense.
Transcript load_transcript(const std::filesystem::path& file);

// What a step that sends, sends.
ByteVector bytes_of_step(const Step& step);

// Whether the bytes at the front of `output` are what the step expects; sets how many they are.
bool matches(const Step& step, Bytes output, std::size_t& used);

}  // namespace wharf::amqp::testing
