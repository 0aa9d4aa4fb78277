#include "protocol/nats/websocket_session.h"

#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "protocol/http/request.h"
#include "protocol/http/websocket.h"
#include "wire/writer.h"

namespace wharf::nats {

namespace {

constexpr Duration upgrade_timeout = std::chrono::seconds(5);
constexpr std::uint16_t code_normal = 1000;
constexpr std::uint16_t code_going_away = 1001;
constexpr std::uint16_t code_protocol = 1002;

class WebSocketSession final : public ByteSession, public SessionHost {
 public:
  WebSocketSession(InnerFactory make_inner, const Clock& clock, SessionHost& host, const Peer& peer)
      : make_inner_(std::move(make_inner)),
        host_(host),
        peer_(peer),
        upgrade_deadline_(clock.now() + upgrade_timeout) {}

  // ByteSession
  std::size_t on_bytes(Bytes input, Chain& out) override {
    std::size_t used = 0;
    if (!inner_) used = upgrade(input, out);
    while (inner_ && !ended_) {
      std::size_t taken = take_frame(input.subspan(used), out);
      if (taken == 0) break;
      used += taken;
    }
    offer();
    say(out);
    return ended_ ? input.size() : used;
  }
  void on_wake(Chain& out) override {
    if (!inner_) return;
    inner_->on_wake(inner_out_);
    offer();
    say(out);
  }
  void on_deadline(Instant now, Chain& out) override {
    if (!inner_) {
      ended_ = true;
      return;
    }
    inner_->on_deadline(now, inner_out_);
    offer();
    say(out);
  }
  std::optional<Instant> next_deadline() const override {
    return inner_ ? inner_->next_deadline() : upgrade_deadline_;
  }
  bool wants_input() const override { return !inner_ || inner_->wants_input(); }
  bool closing() const override { return ended_; }
  void on_closed() override {
    if (inner_) inner_->on_closed();
    inner_.reset();
    ended_ = true;
  }
  void on_shutdown(Chain& out) override {
    close_code_ = code_going_away;
    if (!inner_) {
      ended_ = true;
      return;
    }
    inner_->on_shutdown(inner_out_);
    say(out);
  }

  // SessionHost, for the inner one
  void wake() override { host_.wake(); }
  std::size_t unsent_bytes() const override { return host_.unsent_bytes() + inner_out_.size(); }

 private:
  std::size_t upgrade(Bytes input, Chain& out) {
    Result<std::optional<http::Request>> request = http::read_request(input);
    if (request && !*request) return 0;
    Result<std::string> accepted = fault(Errc::malformed, "not HTTP");
    if (request) accepted = http::accept_upgrade(**request);
    if (!accepted) {
      out.append(bytes_of(
          http::write_response("400 Bad Request", "text/plain", accepted.error().why, false)));
      ended_ = true;
      return 0;
    }
    out.append(bytes_of(*accepted));
    inner_ = make_inner_(*this, peer_);
    return (*request)->size;
  }

  // A control frame, or as much of a data frame as is there; 0 when nothing can be done.
  std::size_t take_frame(Bytes input, Chain& out) {
    if (left_ > 0) return take_payload(input);
    Result<std::optional<http::FrameHead>> head = http::read_frame_head(input);
    if (!head) {
      end(out, code_protocol);
      return 0;
    }
    if (!*head) return 0;
    const http::FrameHead& frame = **head;
    if (frame.opcode < http::Opcode::close) {
      left_ = frame.payload_size;
      mask_ = frame.mask;
      offset_ = 0;
      return frame.size;
    }
    std::size_t whole = frame.size + frame.payload_size;
    if (input.size() < whole) return 0;
    Bytes masked = input.subspan(frame.size, frame.payload_size);
    ByteVector payload(masked.begin(), masked.end());
    http::unmask(payload, frame.mask, 0);
    if (frame.opcode == http::Opcode::close) end(out, code_normal);
    if (frame.opcode == http::Opcode::ping) {
      http::write_frame_head(out, http::Opcode::pong, payload.size());
      out.append(payload);
    }
    return whole;
  }

  std::size_t take_payload(Bytes input) {
    std::size_t size = std::min<std::uint64_t>(left_, input.size());
    std::size_t before = inner_input_.size();
    inner_input_.insert(inner_input_.end(), input.begin(),
                        input.begin() + static_cast<std::ptrdiff_t>(size));
    http::unmask(std::span(inner_input_).subspan(before), mask_, offset_);
    left_ -= size;
    offset_ += size;
    return size;
  }

  void offer() {
    if (!inner_ || inner_input_.empty() || inner_->closing() || !inner_->wants_input()) return;
    std::size_t used = inner_->on_bytes(inner_input_, inner_out_);
    ASSERT(used <= inner_input_.size());
    inner_input_.erase(inner_input_.begin(),
                       inner_input_.begin() + static_cast<std::ptrdiff_t>(used));
  }

  void say(Chain& out) {
    if (!inner_ || ended_) return;
    if (!inner_out_.empty()) {
      http::write_frame_head(out, http::Opcode::binary, inner_out_.size());
      std::vector<Bytes> pieces;
      inner_out_.front_pieces(pieces, SIZE_MAX);
      for (Bytes piece : pieces) out.append(piece);
      inner_out_.clear();
    }
    if (inner_->closing()) end(out, close_code_);
  }

  void end(Chain& out, std::uint16_t code) {
    http::write_close(out, code, "");
    ended_ = true;
  }

  InnerFactory make_inner_;
  SessionHost& host_;
  const Peer peer_;
  const Instant upgrade_deadline_;
  std::unique_ptr<ByteSession> inner_;
  ByteVector inner_input_;  // unmasked, not used yet
  Chain inner_out_;
  std::uint64_t left_ = 0;  // of the data frame that is coming
  std::uint64_t offset_ = 0;
  std::uint32_t mask_ = 0;
  std::uint16_t close_code_ = code_normal;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ByteSession> make_websocket_session(InnerFactory make_inner, const Clock& clock,
                                                    SessionHost& host, const Peer& peer) {
  return std::make_unique<WebSocketSession>(std::move(make_inner), clock, host, peer);
}

}  // namespace wharf::nats
