// protocol/redis/request.h: what a client sends: arrays of bulk strings, or a line of words
// (https://redis.io/docs/latest/develop/reference/protocol-spec/). Parsed in place; a request that
// is cut off is taken up again where it ended, so that bytes which come one by one cost no more.
// Memory: 8 bytes for each argument that has come; nothing by an announced number alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <boost/container/small_vector.hpp>

#include "wire/bytes.h"

namespace wharf::redis {

struct RequestLimits {
  std::uint32_t elements_max = 1 << 20;  // of an array
  std::uint32_t bulk_max = 16 << 20;     // bytes of one
  bool logged_in = true;                 // chooses the words of the errors
};

// An inline request, or the line of a number, may be so long.
constexpr std::size_t line_max = 64 << 10;

// The words of one request; [0] is the command. Views, good until the parser is called again.
class Request {
 public:
  std::size_t size() const { return words_.size(); }
  std::string_view operator[](std::size_t index) const {
    return {base_ + words_[index].offset, words_[index].size};
  }

 private:
  friend class RequestParser;
  friend class KeptRequest;
  struct Word {
    std::uint32_t offset;
    std::uint32_t size;
  };
  const char* base_ = nullptr;
  boost::container::small_vector<Word, 4> words_;
};

// A request with its own copy of the words.
class KeptRequest {
 public:
  explicit KeptRequest(const Request& request);
  KeptRequest(KeptRequest&&) = default;
  KeptRequest& operator=(KeptRequest&&) = default;
  const Request& request() const { return request_; }
  std::size_t bytes() const { return size_; }

 private:
  std::unique_ptr<char[]> text_;
  std::size_t size_ = 0;
  Request request_;
};

class RequestParser {
 public:
  enum class Status : std::uint8_t {
    more,     // not whole yet
    request,  // request() is, of used() bytes
    nothing,  // used() bytes that ask for nothing: an empty line or array
    wrong,    // error() says why; nothing after it can be understood
  };
  // What a line that should hold a number is.
  enum class LineState : std::uint8_t { whole, more, too_long, wrong };
  // `input` begins with the first byte of a request, also when it was shown in part before.
  Status parse(Bytes input, const RequestLimits& limits);

  const Request& request() const { return request_; }
  std::size_t used() const { return position_; }
  // What follows "Protocol error: ".
  const std::string& error() const { return error_; }
  // The request was dealt with, or is to be forgotten.
  void next() {
    position_ = 0;
    if (request_.words_.capacity() > words_kept_max) request_ = Request();
  }

 private:
  static constexpr std::size_t words_kept_max = 64;

  // Splits a line as a shell does in small: "..." with \n \r \t \b \a \xHH and \ before any,
  // '...' with \'.
  Status parse_inline(std::string_view input);
  Status begin_array(std::string_view input, const RequestLimits& limits);
  Status read_words(std::string_view input, const RequestLimits& limits);
  Status refuse_word(char kind, LineState state, std::int64_t size, const RequestLimits& limits);
  Status fail(std::string why);

  Request request_;
  std::size_t position_ = 0;   // everything before it is read; 0: at the beginning
  std::uint32_t missing_ = 0;  // words of the array
  std::string line_;           // the words of an inline request
  std::string error_;
};

// The integer that all of `text` is, in the one form that counts: no sign but '-', no leading
// zeros.
bool parse_integer(std::string_view text, std::int64_t& value);

}  // namespace wharf::redis
