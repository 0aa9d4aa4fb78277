// sim/client_send.h: how the files of client.h write and read a method.
#pragma once

#include "protocol/amqp/frame.h"
#include "sim/client.h"

namespace wharf::sim {

template <class M>
void Client::send(std::uint16_t channel, const M& method) {
  trace_.note("client {}/{} > {}", index_, channel, M::name);
  Chain chain;
  amqp::write_method(chain, channel, method);
  connection_->send(bytes_of(chain.flatten()));
}

// The broker's methods are well formed: its own tests see to that. What is not reads as all zeros.
template <class M>
M decode(const amqp::Method& method) {
  Result<M> decoded = schema::decode<M>(method.arguments);
  return decoded ? *decoded : M{};
}

}  // namespace wharf::sim
