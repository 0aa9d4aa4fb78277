// sim/client_send.h: how the files of client.h write a method.
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

}  // namespace wharf::sim
