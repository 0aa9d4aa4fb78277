// wire/schema.h: one walker for all messages that are a fixed list of fields. A message is a struct
// that declares, in wire order,
//
//   static constexpr auto fields() {
//     return std::tuple(&M::channel_max,                      // an integer, big endian
//                       text<std::uint8_t>(&M::queue),        // UTF-8 behind a length of that
//                       width raw<std::uint32_t>(&M::arguments),    // bytes behind a length of
//                       that width bits(&M::passive, &M::durable));      // flags, lowest bit
//                       first, 8 an octet
//   }
//   static constexpr std::string_view name = "queue.declare";
//   static constexpr std::array<std::string_view, 5> field_names = {"channel_max", ...};
//
// and decode, encode, print and compare follow that one list. Members of text and raw are views:
// after decode they point into the input, so the message lives no longer than that. Nothing here
// allocates, except print. Cost: decode and encode touch each byte once and compile to straight
// code.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>

#include "base/assert.h"
#include "base/fault.h"
#include "wire/bytes.h"
#include "wire/chain.h"
#include "wire/reader.h"
#include "wire/utf8.h"
#include "wire/writer.h"

namespace wharf::schema {

// ---- What a field may be, besides a pointer to an integer member ----

template <class M, std::size_t N>
struct Bits {
  std::array<bool M::*, N> members;
  static constexpr std::size_t octets = (N + 7) / 8;
};

template <class Length, class M>
struct Text {
  std::string_view M::* member;
};

template <class Length, class M>
struct Raw {
  Bytes M::* member;
};

template <class M, std::same_as<bool M::*>... More>
constexpr auto bits(bool M::* first, More... more) {
  return Bits<M, 1 + sizeof...(More)>{{first, more...}};
}

template <std::unsigned_integral Length, class M>
constexpr auto text(std::string_view M::* member) {
  return Text<Length, M>{member};
}

template <std::unsigned_integral Length, class M>
constexpr auto raw(Bytes M::* member) {
  return Raw<Length, M>{member};
}

namespace detail {

template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;

// ---- Reading ----

template <class M, Integer T>
void read(Reader& in, M& message, T M::* field) {
  message.*field = in.be<T>();
}

template <class M, std::size_t N>
void read(Reader& in, M& message, const Bits<M, N>& field) {
  Bytes octets = in.take(field.octets);
  if (octets.empty()) return;
  for (std::size_t i = 0; i < N; ++i) {
    message.*field.members[i] = (std::to_integer<unsigned>(octets[i / 8]) >> (i % 8) & 1) != 0;
  }
}

template <class Length, class M>
void read(Reader& in, M& message, const Text<Length, M>& field) {
  std::string_view value = text_of(in.take(in.be<Length>()));
  if (!is_utf8(value)) in.fail(Errc::malformed, "text is not UTF-8");
  message.*field.member = value;
}

template <class Length, class M>
void read(Reader& in, M& message, const Raw<Length, M>& field) {
  message.*field.member = in.take(in.be<Length>());
}

// ---- Sizes ----

template <class M, Integer T>
constexpr std::size_t size_of(const M&, T M::*) {
  return sizeof(T);
}

template <class M, std::size_t N>
constexpr std::size_t size_of(const M&, const Bits<M, N>& field) {
  return field.octets;
}

template <class Length, class M>
constexpr std::size_t size_of(const M& message, const Text<Length, M>& field) {
  return sizeof(Length) + (message.*field.member).size();
}

template <class Length, class M>
constexpr std::size_t size_of(const M& message, const Raw<Length, M>& field) {
  return sizeof(Length) + (message.*field.member).size();
}

// ---- Writing: each moves `at` behind what it wrote ----

template <class M, Integer T>
void write(std::byte*& at, const M& message, T M::* field) {
  put_be(at, message.*field);
  at += sizeof(T);
}

template <class M, std::size_t N>
void write(std::byte*& at, const M& message, const Bits<M, N>& field) {
  std::array<unsigned, Bits<M, N>::octets> octets{};
  for (std::size_t i = 0; i < N; ++i) {
    if (message.*field.members[i]) octets[i / 8] |= 1u << (i % 8);
  }
  for (unsigned octet : octets) *at++ = static_cast<std::byte>(octet);
}

template <class Length>
void write_sized(std::byte*& at, Bytes value) {
  ASSERT(value.size() <= std::numeric_limits<Length>::max());
  put_be(at, static_cast<Length>(value.size()));
  at += sizeof(Length);
  if (!value.empty()) std::memcpy(at, value.data(), value.size());
  at += value.size();
}

template <class Length, class M>
void write(std::byte*& at, const M& message, const Text<Length, M>& field) {
  write_sized<Length>(at, bytes_of(message.*field.member));
}

template <class Length, class M>
void write(std::byte*& at, const M& message, const Raw<Length, M>& field) {
  write_sized<Length>(at, message.*field.member);
}

// ---- Printing and comparing: by leaf, that is, each flag of a Bits on its own ----

void print_value(std::string& out, std::string_view text);
void print_value(std::string& out, Bytes bytes);
inline void print_value(std::string& out, bool flag) { out += flag ? "true" : "false"; }
template <Integer T>
void print_value(std::string& out, T number) {
  out += std::to_string(number);
}

inline bool same_value(std::string_view a, std::string_view b) { return a == b; }
inline bool same_value(Bytes a, Bytes b) { return std::ranges::equal(a, b); }
template <std::integral T>
bool same_value(T a, T b) {
  return a == b;
}

template <class M, Integer T, class Visit>
void each_leaf(T M::* field, Visit&& visit) {
  visit(field);
}

template <class M, std::size_t N, class Visit>
void each_leaf(const Bits<M, N>& field, Visit&& visit) {
  for (bool M::* member : field.members) visit(member);
}

template <class Length, class M, class Visit>
void each_leaf(const Text<Length, M>& field, Visit&& visit) {
  visit(field.member);
}

template <class Length, class M, class Visit>
void each_leaf(const Raw<Length, M>& field, Visit&& visit) {
  visit(field.member);
}

}  // namespace detail

// ---- The walks ----

// The input must hold exactly the fields of M. Faults: malformed.
template <class M>
Result<M> decode(Bytes input) {
  Reader in(input);
  M message;
  std::apply([&](const auto&... field) { (detail::read(in, message, field), ...); }, M::fields());
  return in.finish(message);
}

template <class M>
std::size_t encoded_size(const M& message) {
  return std::apply(
      [&](const auto&... field) {
        return (std::size_t{0} + ... + detail::size_of(message, field));
      },
      M::fields());
}

// Writes encoded_size(message) bytes from `at` on; returns where they end.
// REQUIRES: no text or raw longer than its length can say.
template <class M>
std::byte* encode_at(std::byte* at, const M& message) {
  std::apply([&](const auto&... field) { (detail::write(at, message, field), ...); }, M::fields());
  return at;
}

template <class M>
void encode(ByteVector& out, const M& message) {
  std::size_t offset = out.size();
  out.resize(offset + encoded_size(message));
  encode_at(out.data() + offset, message);
}

template <class M>
void encode(Chain& out, const M& message) {
  encode_at(out.extend(encoded_size(message)).data(), message);
}

// `queue.declare(ticket=0 queue="ghost" passive=true ...)`: texts escaped, raw bytes in hex.
template <class M>
std::string print(const M& message) {
  std::string out(M::name);
  std::size_t index = 0;
  auto leaf = [&](auto member) {
    ASSERT(index < M::field_names.size());
    out += index == 0 ? '(' : ' ';
    out += M::field_names[index++];
    out += '=';
    detail::print_value(out, message.*member);
  };
  std::apply([&](const auto&... field) { (detail::each_leaf(field, leaf), ...); }, M::fields());
  ASSERT(index == M::field_names.size());
  out += index == 0 ? "()" : ")";
  return out;
}

// Views are compared by what they show.
template <class M>
bool same(const M& a, const M& b) {
  bool equal = true;
  auto leaf = [&](auto member) { equal = equal && detail::same_value(a.*member, b.*member); };
  std::apply([&](const auto&... field) { (detail::each_leaf(field, leaf), ...); }, M::fields());
  return equal;
}

}  // namespace wharf::schema
