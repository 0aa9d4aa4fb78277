// protocol/nats/connection.h: the session's class, private to this folder. Its functions stand in
// session.cpp (turns, time, answers), commands of the client in connection.cpp, publishing in
// publish.cpp, deliveries in deliver.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/api.h"
#include "protocol/nats/commands.h"
#include "protocol/nats/connect.h"
#include "protocol/nats/frame.h"
#include "protocol/nats/replies.h"
#include "protocol/nats/session.h"
#include "protocol/nats/subscriptions.h"
#include "wire/byte_session.h"

namespace wharf::nats {

class NatsSession final : public ByteSession, public broker::EventListener {
 public:
  NatsSession(NatsServer& server, broker::Core& core, SessionHost& host, const Peer& peer,
              Carrier carrier);
  ~NatsSession() override;

  // ByteSession
  std::size_t on_bytes(Bytes input, Chain& out) override;
  void on_wake(Chain& out) override;
  void on_deadline(Instant now, Chain& out) override;
  std::optional<Instant> next_deadline() const override;
  bool wants_input() const override { return !held(); }
  bool closing() const override { return closing_; }
  void on_closed() override;
  void on_shutdown(Chain& out) override;
  void on_secured(const Peer& peer) override;

  // broker::EventListener
  void on_events() override;

 private:
  // What is owed to the client before more of its input is looked at.
  enum class Answer : std::uint8_t { none, pong, ok };

  // The subject published to last: the next one is mostly the same.
  struct Target {
    std::string subject;
    std::string name;  // canonical; none when it is the subject itself
    bool renamed = false;
    bool valid = false;
    bool allowed = false;
    std::string_view canonical() const { return renamed ? name : subject; }
  };

  // -- turns and answers
  bool held() const { return answer_ != Answer::none || paused_until_ || held_by_alarm_; }
  void greet(Chain& out);
  std::string info(bool lame_duck) const;
  void drain(Chain& out);
  void settle_answer(Chain& out);
  void owe(Answer answer, Chain& out);
  void say_error(std::string_view text, Chain& out);
  void fail(std::string_view text, Chain& out);
  void hang_up() { closing_ = true; }
  void watch_output(Chain& out);
  void on_ping_timer(Instant now, Chain& out);
  void set_slow(bool is_slow);
  TlsOffer tls_offer() const;
  void show(const auth::Principal& who);
  void show_counters();

  // -- commands; each returns the bytes that it used, 0 while it is not whole
  std::size_t take_unit(Bytes input, Chain& out);
  std::size_t take_command(Bytes input, const Line& line, Chain& out);
  void on_pong();
  void on_connect(std::string_view json, Chain& out);
  std::optional<auth::Principal> log_in(const Connect& connect) const;
  Result<auth::Principal> prove(const Connect& connect) const;
  void attach(const auth::Principal& who);
  void detach();
  bool ensure_attached(Chain& out);
  void on_sub(std::string_view arguments, Chain& out);
  void on_unsub(std::string_view arguments, Chain& out);
  void retire_subscription(Subscription& subscription);
  void ask_fence();
  void drop_retired();
  bool listen(Subscription& subscription);
  void end_subscription(Subscription& subscription);

  // -- publishing
  std::size_t take_publish(Bytes input, const Line& line, const std::optional<Pub>& pub,
                           Chain& out);
  void publish(const Pub& pub, Bytes payload, Chain& out);
  const Target& target_of(std::string_view subject);
  void after_publish(const broker::LivePublished& published, const Pub& pub, Chain& out);
  bool may_answer(std::string_view subject);
  void tell_no_responders(const Pub& pub, Chain& out);
  void pause();

  // -- deliveries
  void deliver(Chain& out);
  bool is_hidden(const Subscription& subscription, const broker::LiveRecord& record) const;
  void note_reply(std::string_view reply);
  void write_own(const Subscription& subscription, const broker::LiveItem& item, Chain& out);
  void write_foreign(const Subscription& subscription, const broker::LiveItem& item, Chain& out);
  void write_message(const Subscription& subscription, const broker::LiveItem& item,
                     std::string_view reply, std::string_view headers, Chain& out);

  void on_event(broker::Reply& event);
  void on_event(broker::Receipt& event);
  void on_event(broker::Alarm& event) { alarm_ = event; }
  void on_event(broker::Evicted&) { hang_up(); }
  template <class Other>
  void on_event(Other&) {}

  NatsServer& server_;
  const NatsOptions& options_;
  broker::Core& core_;
  SessionHost& host_;
  Peer peer_;
  const Carrier carrier_;
  const std::uint64_t client_id_;
  const WallTime start_;
  ConnectionRow& row_;

  std::optional<broker::SessionId> session_;
  Connect connect_;
  const auth::SubjectPermissions* permissions_ = nullptr;  // none: no rules of subjects
  Replies replies_;
  std::string nonce_;
  Subscriptions subscriptions_;
  std::vector<broker::ConsumerId> retired_;  // until the next fence is passed
  Target target_;

  bool auth_required_ = false;
  bool greeted_ = false;
  bool connected_ = false;  // CONNECT was accepted
  bool closing_ = false;
  bool securing_ = false;  // a TLS handshake is under way below us
  bool is_slow_ = false;

  bool mail_waits_ = false;  // the core has events or messages for us
  std::vector<broker::Event> events_;
  broker::LiveMail mail_;
  std::string scratch_;
  std::string headers_scratch_;

  Answer answer_ = Answer::none;
  bool fence_needed_ = false;           // there were subscriptions since the last fence
  std::uint32_t receipts_missing_ = 0;  // of publishes that queues took
  broker::RequestId fence_ = 0;         // the last one asked for
  broker::RequestId fence_passed_ = 0;
  broker::Alarm alarm_;
  bool held_by_alarm_ = false;

  std::optional<Instant> paused_until_;  // a listener of what was published is behind
  std::uint32_t pauses_ = 0;             // since so much input was taken without one
  std::size_t unpaused_bytes_ = 0;

  Instant last_input_;
  Instant ping_at_;
  std::uint32_t pings_out_ = 0;
  std::optional<Instant> ping_sent_;
  std::optional<Instant> auth_deadline_;
  std::optional<Instant> shutdown_at_;
  std::optional<Instant> write_check_at_;
  std::uint64_t sent_at_check_ = 0;
  std::uint64_t produced_ = 0;  // bytes of output ever made

  std::uint64_t in_messages_ = 0;
  std::uint64_t in_bytes_ = 0;
  std::uint64_t out_messages_ = 0;
  std::uint64_t out_bytes_ = 0;
};

}  // namespace wharf::nats
