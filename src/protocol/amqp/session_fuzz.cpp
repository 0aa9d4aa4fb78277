// Feeds a session whatever the fuzzer says, in pieces that it chooses too, against the fake core.
// First byte: bit 0: log in first. Then records: how many bytes (1..255) go in as one piece, those
// bytes; 0: time passes, or receipts and replies that were held are let go, or an alarm comes or
// goes.
#include <cstdint>

#include "protocol/amqp/fake_core.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/session.h"
#include "wire/reader.h"

namespace {

using namespace wharf;
using namespace wharf::amqp;

// Within so many turns a session must come to rest.
constexpr int turns_max = 1000;

class Host final : public SessionHost {
 public:
  bool woken = false;
  std::size_t unsent = 0;
  void wake() override { woken = true; }
  std::size_t unsent_bytes() const override { return unsent; }
};

class Run {
 public:
  void log_in() {
    using namespace std::literals;
    Chain frames;
    frames.append(greeting_0_9_1);
    write_method(frames, 0,
                 ConnectionStartOk{.mechanism = "PLAIN", .response = bytes_of("\0guest\0guest"sv)});
    write_method(frames, 0, ConnectionTuneOk{.channel_max = 100, .frame_max = 4096});
    write_method(frames, 0, ConnectionOpen{.virtual_host = "/"});
    write_method(frames, 1, ChannelOpen{});
    write_method(frames, 1, QueueDeclare{.queue = "q"});
    feed(bytes_of(frames.flatten()));
  }

  void feed(Bytes piece) {
    input_.insert(input_.end(), piece.begin(), piece.end());
    bool moved = true;
    for (int turn = 0; turn < turns_max && moved; ++turn) {
      moved = false;
      if (!input_.empty() && session_->wants_input() && !session_->closing()) {
        std::size_t used = session_->on_bytes(input_, out_);
        ASSERT(used <= input_.size());
        input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
        moved = used > 0;
      }
      if (std::exchange(host_.woken, false)) {
        session_->on_wake(out_);
        moved = true;
      }
      check_output();
    }
    ASSERT(!moved);
  }

  void event(std::uint8_t what) {
    switch (what % 6) {
      case 0: {
        core_.time.advance(std::chrono::seconds(what));
        auto at = session_->next_deadline();
        if (at && *at <= core_.time.now()) session_->on_deadline(core_.time.now(), out_);
        break;
      }
      case 1:
        core_.hold_receipts = what & 8;
        break;
      case 2:
        core_.release_receipts_backwards();
        break;
      case 3:
        core_.hold_replies = what & 8;
        break;
      case 4:
        core_.release_replies();
        break;
      case 5:
        core_.set_alarm({.memory = (what & 8) != 0, .behind = (what & 16) != 0});
        break;
    }
    feed({});
  }

  void end() {
    session_->on_closed();
    session_.reset();
    ASSERT(core_.sessions() == 0);
    ASSERT(core_.consumers() == 0);
    ASSERT(core_.leased() == 0);
  }

 private:
  // What goes out must be frames, all of it.
  void check_output() {
    std::string fresh = out_.flatten();
    out_.clear();
    Bytes rest = bytes_of(fresh);
    if (fresh.starts_with("AMQP")) rest = rest.subspan(greeting_size);
    while (!rest.empty()) {
      auto frame = read_frame(rest, 131072);
      ASSERT(frame && *frame);
      rest = rest.subspan(size_of(**frame));
    }
  }

  AmqpOptions options_;
  testing::FakeCore core_;
  Host host_;
  Chain out_;
  std::vector<std::byte> input_;
  std::unique_ptr<ByteSession> session_ = make_amqp_session(options_, core_, host_, Peer{});
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader in(std::as_bytes(std::span(data, size)));
  Run run;
  if ((in.be<std::uint8_t>() & 1) != 0) run.log_in();
  while (in.left() > 1) {
    auto piece = in.be<std::uint8_t>();
    if (piece == 0) {
      run.event(in.be<std::uint8_t>());
    } else {
      run.feed(in.take(std::min<std::size_t>(piece, in.left())));
    }
  }
  run.end();
  return 0;
}
