// sim/core_proxy.h: a Core that hands every call on to another. What stands between a session and
// its shard derives from it.
#pragma once

#include <span>
#include <vector>

#include "broker/api.h"

namespace wharf::sim {

class CoreProxy : public broker::Core {
 public:
  explicit CoreProxy(broker::Core& inner) : inner_(inner) {}

  broker::SessionId attach(broker::EventListener& listener, broker::VhostId vhost,
                           const broker::Principal& who) override {
    return inner_.attach(listener, vhost, who);
  }
  void detach(broker::SessionId session, std::optional<broker::RequestId> request) override {
    inner_.detach(session, request);
  }
  void forget(broker::SessionId session) override { inner_.forget(session); }
  void take_events(broker::SessionId session, std::vector<broker::Event>& events) override {
    inner_.take_events(session, events);
  }
  broker::Outcome<broker::Published> publish(broker::SessionId session,
                                             const broker::Message& message,
                                             const broker::PublishOptions& options) override {
    return inner_.publish(session, message, options);
  }
  broker::Outcome<broker::LivePublished> publish_live(
      broker::SessionId session, const broker::LiveMessage& message,
      const broker::PublishOptions& options) override {
    return inner_.publish_live(session, message, options);
  }
  broker::Outcome<void> listen(broker::SessionId session, const broker::ListenSpec& spec) override {
    return inner_.listen(session, spec);
  }
  void unlisten(broker::SessionId session, broker::ConsumerId consumer) override {
    inner_.unlisten(session, consumer);
  }
  void fence(broker::SessionId session, broker::RequestId request) override {
    inner_.fence(session, request);
  }
  void take_live(broker::SessionId session, broker::LiveMail& mail) override {
    inner_.take_live(session, mail);
  }
  void set_slow(broker::SessionId session, bool is_slow) override {
    inner_.set_slow(session, is_slow);
  }
  std::uint32_t count_listeners(broker::VhostId vhost, broker::Room room,
                                std::string_view name) const override {
    return inner_.count_listeners(vhost, room, name);
  }
  void each_name(broker::VhostId vhost, broker::Room room,
                 const NameVisitor& visit) const override {
    inner_.each_name(vhost, room, visit);
  }
  std::uint32_t count_patterns(broker::VhostId vhost, broker::Room room) const override {
    return inner_.count_patterns(vhost, room);
  }
  bool send(broker::SessionId to, broker::ConsumerId consumer,
            const broker::Message& message) override {
    return inner_.send(to, consumer, message);
  }
  bool inbox_alive(broker::SessionId session) const override { return inner_.inbox_alive(session); }
  const broker::ExchangeSpec* find_exchange(broker::VhostId vhost,
                                            std::string_view name) const override {
    return inner_.find_exchange(vhost, name);
  }
  const broker::QueueSpec* find_queue(broker::VhostId vhost, std::string_view name) const override {
    return inner_.find_queue(vhost, name);
  }
  void declare_queue(broker::SessionId session, broker::RequestId request,
                     const broker::QueueSpec& spec, bool passive) override {
    inner_.declare_queue(session, request, spec, passive);
  }
  void delete_queue(broker::SessionId session, broker::RequestId request, std::string_view name,
                    DeleteConditions conditions) override {
    inner_.delete_queue(session, request, name, conditions);
  }
  void find_inbox(broker::SessionId session, broker::RequestId request, broker::SessionId to,
                  std::string_view name) override {
    inner_.find_inbox(session, request, to, name);
  }
  void purge_queue(broker::SessionId session, broker::RequestId request,
                   std::string_view name) override {
    inner_.purge_queue(session, request, name);
  }
  void declare_exchange(broker::SessionId session, broker::RequestId request,
                        const broker::ExchangeSpec& spec, bool passive) override {
    inner_.declare_exchange(session, request, spec, passive);
  }
  void delete_exchange(broker::SessionId session, broker::RequestId request, std::string_view name,
                       bool if_unused) override {
    inner_.delete_exchange(session, request, name, if_unused);
  }
  void bind(broker::SessionId session, broker::RequestId request,
            const broker::BindingSpec& binding) override {
    inner_.bind(session, request, binding);
  }
  void unbind(broker::SessionId session, broker::RequestId request,
              const broker::BindingSpec& binding) override {
    inner_.unbind(session, request, binding);
  }
  void subscribe(broker::SessionId session, broker::RequestId request,
                 const broker::SubscribeSpec& spec) override {
    inner_.subscribe(session, request, spec);
  }
  void unsubscribe(broker::SessionId session, broker::RequestId request, broker::QueueId queue,
                   broker::ConsumerId consumer) override {
    inner_.unsubscribe(session, request, queue, consumer);
  }
  void grant(broker::SessionId session, broker::QueueId queue, broker::ConsumerId consumer,
             std::uint32_t messages, std::uint64_t bytes) override {
    inner_.grant(session, queue, consumer, messages, bytes);
  }
  void get(broker::SessionId session, broker::RequestId request, std::string_view queue,
           bool leased) override {
    inner_.get(session, request, queue, leased);
  }
  void settle(broker::SessionId session, broker::QueueId queue,
              std::span<const broker::RecordRef> records, broker::Disposition disposition,
              std::optional<broker::Token> receipt) override {
    inner_.settle(session, queue, records, disposition, receipt);
  }
  const auth::Access& access() const override { return inner_.access(); }
  const broker::Formats& formats() const override { return inner_.formats(); }
  const Clock& clock() const override { return inner_.clock(); }
  Random& random() override { return inner_.random(); }

 private:
  broker::Core& inner_;
};

}  // namespace wharf::sim
