// protocol/amqp/methods_gen.h: the methods of AMQP 0-9-1 as the schema walker (wire/schema.h) wants them.
// Made by tools/amqp_methods.py of schema/methods.txt: change that file, not this one.
// clang-format off
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/schema.h"

namespace wharf::amqp {

// Class id in the upper half, method id in the lower, as both stand at the front of a method frame.
using MethodId = std::uint32_t;

constexpr std::uint16_t class_of(MethodId id) { return static_cast<std::uint16_t>(id >> 16); }
constexpr std::uint16_t method_of(MethodId id) { return static_cast<std::uint16_t>(id & 0xffff); }

struct ConnectionStart {
  static constexpr MethodId id = 10 << 16 | 10;
  static constexpr std::string_view name = "connection.start";
  static constexpr bool has_content = false;
  std::uint8_t version_major = 0;
  std::uint8_t version_minor = 0;
  Bytes server_properties{};
  Bytes mechanisms{};
  Bytes locales{};
  static constexpr std::array<std::string_view, 5> field_names = {
      "version_major", "version_minor", "server_properties", "mechanisms", "locales"};
  static constexpr auto fields() {
    using M = ConnectionStart;
    return std::tuple(
        &M::version_major, &M::version_minor, schema::raw<std::uint32_t>(&M::server_properties),
        schema::raw<std::uint32_t>(&M::mechanisms), schema::raw<std::uint32_t>(&M::locales));
  }
};

struct ConnectionStartOk {
  static constexpr MethodId id = 10 << 16 | 11;
  static constexpr std::string_view name = "connection.start-ok";
  static constexpr bool has_content = false;
  Bytes client_properties{};
  std::string_view mechanism{};
  Bytes response{};
  std::string_view locale{};
  static constexpr std::array<std::string_view, 4> field_names = {
      "client_properties", "mechanism", "response", "locale"};
  static constexpr auto fields() {
    using M = ConnectionStartOk;
    return std::tuple(
        schema::raw<std::uint32_t>(&M::client_properties),
        schema::text<std::uint8_t>(&M::mechanism), schema::raw<std::uint32_t>(&M::response),
        schema::text<std::uint8_t>(&M::locale));
  }
};

struct ConnectionSecure {
  static constexpr MethodId id = 10 << 16 | 20;
  static constexpr std::string_view name = "connection.secure";
  static constexpr bool has_content = false;
  Bytes challenge{};
  static constexpr std::array<std::string_view, 1> field_names = {"challenge"};
  static constexpr auto fields() {
    using M = ConnectionSecure;
    return std::tuple(schema::raw<std::uint32_t>(&M::challenge));
  }
};

struct ConnectionSecureOk {
  static constexpr MethodId id = 10 << 16 | 21;
  static constexpr std::string_view name = "connection.secure-ok";
  static constexpr bool has_content = false;
  Bytes response{};
  static constexpr std::array<std::string_view, 1> field_names = {"response"};
  static constexpr auto fields() {
    using M = ConnectionSecureOk;
    return std::tuple(schema::raw<std::uint32_t>(&M::response));
  }
};

struct ConnectionTune {
  static constexpr MethodId id = 10 << 16 | 30;
  static constexpr std::string_view name = "connection.tune";
  static constexpr bool has_content = false;
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  static constexpr std::array<std::string_view, 3> field_names = {
      "channel_max", "frame_max", "heartbeat"};
  static constexpr auto fields() {
    using M = ConnectionTune;
    return std::tuple(&M::channel_max, &M::frame_max, &M::heartbeat);
  }
};

struct ConnectionTuneOk {
  static constexpr MethodId id = 10 << 16 | 31;
  static constexpr std::string_view name = "connection.tune-ok";
  static constexpr bool has_content = false;
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  static constexpr std::array<std::string_view, 3> field_names = {
      "channel_max", "frame_max", "heartbeat"};
  static constexpr auto fields() {
    using M = ConnectionTuneOk;
    return std::tuple(&M::channel_max, &M::frame_max, &M::heartbeat);
  }
};

struct ConnectionOpen {
  static constexpr MethodId id = 10 << 16 | 40;
  static constexpr std::string_view name = "connection.open";
  static constexpr bool has_content = false;
  std::string_view virtual_host{};
  std::string_view reserved_1{};
  bool reserved_2 = false;
  static constexpr std::array<std::string_view, 3> field_names = {
      "virtual_host", "reserved_1", "reserved_2"};
  static constexpr auto fields() {
    using M = ConnectionOpen;
    return std::tuple(
        schema::text<std::uint8_t>(&M::virtual_host), schema::text<std::uint8_t>(&M::reserved_1),
        schema::bits(&M::reserved_2));
  }
};

struct ConnectionOpenOk {
  static constexpr MethodId id = 10 << 16 | 41;
  static constexpr std::string_view name = "connection.open-ok";
  static constexpr bool has_content = false;
  std::string_view reserved_1{};
  static constexpr std::array<std::string_view, 1> field_names = {"reserved_1"};
  static constexpr auto fields() {
    using M = ConnectionOpenOk;
    return std::tuple(schema::text<std::uint8_t>(&M::reserved_1));
  }
};

struct ConnectionClose {
  static constexpr MethodId id = 10 << 16 | 50;
  static constexpr std::string_view name = "connection.close";
  static constexpr bool has_content = false;
  std::uint16_t reply_code = 0;
  std::string_view reply_text{};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  static constexpr std::array<std::string_view, 4> field_names = {
      "reply_code", "reply_text", "class_id", "method_id"};
  static constexpr auto fields() {
    using M = ConnectionClose;
    return std::tuple(
        &M::reply_code, schema::text<std::uint8_t>(&M::reply_text), &M::class_id, &M::method_id);
  }
};

struct ConnectionCloseOk {
  static constexpr MethodId id = 10 << 16 | 51;
  static constexpr std::string_view name = "connection.close-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct ConnectionBlocked {
  static constexpr MethodId id = 10 << 16 | 60;
  static constexpr std::string_view name = "connection.blocked";
  static constexpr bool has_content = false;
  std::string_view reason{};
  static constexpr std::array<std::string_view, 1> field_names = {"reason"};
  static constexpr auto fields() {
    using M = ConnectionBlocked;
    return std::tuple(schema::text<std::uint8_t>(&M::reason));
  }
};

struct ConnectionUnblocked {
  static constexpr MethodId id = 10 << 16 | 61;
  static constexpr std::string_view name = "connection.unblocked";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct ConnectionUpdateSecret {
  static constexpr MethodId id = 10 << 16 | 70;
  static constexpr std::string_view name = "connection.update-secret";
  static constexpr bool has_content = false;
  Bytes new_secret{};
  std::string_view reason{};
  static constexpr std::array<std::string_view, 2> field_names = {"new_secret", "reason"};
  static constexpr auto fields() {
    using M = ConnectionUpdateSecret;
    return std::tuple(
        schema::raw<std::uint32_t>(&M::new_secret), schema::text<std::uint8_t>(&M::reason));
  }
};

struct ConnectionUpdateSecretOk {
  static constexpr MethodId id = 10 << 16 | 71;
  static constexpr std::string_view name = "connection.update-secret-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct ChannelOpen {
  static constexpr MethodId id = 20 << 16 | 10;
  static constexpr std::string_view name = "channel.open";
  static constexpr bool has_content = false;
  std::string_view reserved_1{};
  static constexpr std::array<std::string_view, 1> field_names = {"reserved_1"};
  static constexpr auto fields() {
    using M = ChannelOpen;
    return std::tuple(schema::text<std::uint8_t>(&M::reserved_1));
  }
};

struct ChannelOpenOk {
  static constexpr MethodId id = 20 << 16 | 11;
  static constexpr std::string_view name = "channel.open-ok";
  static constexpr bool has_content = false;
  Bytes reserved_1{};
  static constexpr std::array<std::string_view, 1> field_names = {"reserved_1"};
  static constexpr auto fields() {
    using M = ChannelOpenOk;
    return std::tuple(schema::raw<std::uint32_t>(&M::reserved_1));
  }
};

struct ChannelFlow {
  static constexpr MethodId id = 20 << 16 | 20;
  static constexpr std::string_view name = "channel.flow";
  static constexpr bool has_content = false;
  bool active = false;
  static constexpr std::array<std::string_view, 1> field_names = {"active"};
  static constexpr auto fields() {
    using M = ChannelFlow;
    return std::tuple(schema::bits(&M::active));
  }
};

struct ChannelFlowOk {
  static constexpr MethodId id = 20 << 16 | 21;
  static constexpr std::string_view name = "channel.flow-ok";
  static constexpr bool has_content = false;
  bool active = false;
  static constexpr std::array<std::string_view, 1> field_names = {"active"};
  static constexpr auto fields() {
    using M = ChannelFlowOk;
    return std::tuple(schema::bits(&M::active));
  }
};

struct ChannelClose {
  static constexpr MethodId id = 20 << 16 | 40;
  static constexpr std::string_view name = "channel.close";
  static constexpr bool has_content = false;
  std::uint16_t reply_code = 0;
  std::string_view reply_text{};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  static constexpr std::array<std::string_view, 4> field_names = {
      "reply_code", "reply_text", "class_id", "method_id"};
  static constexpr auto fields() {
    using M = ChannelClose;
    return std::tuple(
        &M::reply_code, schema::text<std::uint8_t>(&M::reply_text), &M::class_id, &M::method_id);
  }
};

struct ChannelCloseOk {
  static constexpr MethodId id = 20 << 16 | 41;
  static constexpr std::string_view name = "channel.close-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct AccessRequest {
  static constexpr MethodId id = 30 << 16 | 10;
  static constexpr std::string_view name = "access.request";
  static constexpr bool has_content = false;
  std::string_view realm{};
  bool exclusive = false;
  bool passive = false;
  bool active = false;
  bool write = false;
  bool read = false;
  static constexpr std::array<std::string_view, 6> field_names = {
      "realm", "exclusive", "passive", "active", "write", "read"};
  static constexpr auto fields() {
    using M = AccessRequest;
    return std::tuple(
        schema::text<std::uint8_t>(&M::realm),
        schema::bits(&M::exclusive, &M::passive, &M::active, &M::write, &M::read));
  }
};

struct AccessRequestOk {
  static constexpr MethodId id = 30 << 16 | 11;
  static constexpr std::string_view name = "access.request-ok";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  static constexpr std::array<std::string_view, 1> field_names = {"ticket"};
  static constexpr auto fields() {
    using M = AccessRequestOk;
    return std::tuple(&M::ticket);
  }
};

struct ExchangeDeclare {
  static constexpr MethodId id = 40 << 16 | 10;
  static constexpr std::string_view name = "exchange.declare";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view exchange{};
  std::string_view type{};
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  bool no_wait = false;
  Bytes arguments{};
  static constexpr std::array<std::string_view, 9> field_names = {
      "ticket", "exchange", "type", "passive", "durable", "auto_delete", "internal", "no_wait",
      "arguments"};
  static constexpr auto fields() {
    using M = ExchangeDeclare;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::exchange), schema::text<std::uint8_t>(&M::type),
        schema::bits(&M::passive, &M::durable, &M::auto_delete, &M::internal, &M::no_wait),
        schema::raw<std::uint32_t>(&M::arguments));
  }
};

struct ExchangeDeclareOk {
  static constexpr MethodId id = 40 << 16 | 11;
  static constexpr std::string_view name = "exchange.declare-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct ExchangeDelete {
  static constexpr MethodId id = 40 << 16 | 20;
  static constexpr std::string_view name = "exchange.delete";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view exchange{};
  bool if_unused = false;
  bool no_wait = false;
  static constexpr std::array<std::string_view, 4> field_names = {
      "ticket", "exchange", "if_unused", "no_wait"};
  static constexpr auto fields() {
    using M = ExchangeDelete;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::exchange),
        schema::bits(&M::if_unused, &M::no_wait));
  }
};

struct ExchangeDeleteOk {
  static constexpr MethodId id = 40 << 16 | 21;
  static constexpr std::string_view name = "exchange.delete-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct ExchangeBind {
  static constexpr MethodId id = 40 << 16 | 30;
  static constexpr std::string_view name = "exchange.bind";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view destination{};
  std::string_view source{};
  std::string_view routing_key{};
  bool no_wait = false;
  Bytes arguments{};
  static constexpr std::array<std::string_view, 6> field_names = {
      "ticket", "destination", "source", "routing_key", "no_wait", "arguments"};
  static constexpr auto fields() {
    using M = ExchangeBind;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::destination),
        schema::text<std::uint8_t>(&M::source), schema::text<std::uint8_t>(&M::routing_key),
        schema::bits(&M::no_wait), schema::raw<std::uint32_t>(&M::arguments));
  }
};

struct ExchangeBindOk {
  static constexpr MethodId id = 40 << 16 | 31;
  static constexpr std::string_view name = "exchange.bind-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct ExchangeUnbind {
  static constexpr MethodId id = 40 << 16 | 40;
  static constexpr std::string_view name = "exchange.unbind";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view destination{};
  std::string_view source{};
  std::string_view routing_key{};
  bool no_wait = false;
  Bytes arguments{};
  static constexpr std::array<std::string_view, 6> field_names = {
      "ticket", "destination", "source", "routing_key", "no_wait", "arguments"};
  static constexpr auto fields() {
    using M = ExchangeUnbind;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::destination),
        schema::text<std::uint8_t>(&M::source), schema::text<std::uint8_t>(&M::routing_key),
        schema::bits(&M::no_wait), schema::raw<std::uint32_t>(&M::arguments));
  }
};

struct ExchangeUnbindOk {
  static constexpr MethodId id = 40 << 16 | 51;
  static constexpr std::string_view name = "exchange.unbind-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct QueueDeclare {
  static constexpr MethodId id = 50 << 16 | 10;
  static constexpr std::string_view name = "queue.declare";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view queue{};
  bool passive = false;
  bool durable = false;
  bool exclusive = false;
  bool auto_delete = false;
  bool no_wait = false;
  Bytes arguments{};
  static constexpr std::array<std::string_view, 8> field_names = {
      "ticket", "queue", "passive", "durable", "exclusive", "auto_delete", "no_wait", "arguments"};
  static constexpr auto fields() {
    using M = QueueDeclare;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::queue),
        schema::bits(&M::passive, &M::durable, &M::exclusive, &M::auto_delete, &M::no_wait),
        schema::raw<std::uint32_t>(&M::arguments));
  }
};

struct QueueDeclareOk {
  static constexpr MethodId id = 50 << 16 | 11;
  static constexpr std::string_view name = "queue.declare-ok";
  static constexpr bool has_content = false;
  std::string_view queue{};
  std::uint32_t message_count = 0;
  std::uint32_t consumer_count = 0;
  static constexpr std::array<std::string_view, 3> field_names = {
      "queue", "message_count", "consumer_count"};
  static constexpr auto fields() {
    using M = QueueDeclareOk;
    return std::tuple(schema::text<std::uint8_t>(&M::queue), &M::message_count, &M::consumer_count);
  }
};

struct QueueBind {
  static constexpr MethodId id = 50 << 16 | 20;
  static constexpr std::string_view name = "queue.bind";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view queue{};
  std::string_view exchange{};
  std::string_view routing_key{};
  bool no_wait = false;
  Bytes arguments{};
  static constexpr std::array<std::string_view, 6> field_names = {
      "ticket", "queue", "exchange", "routing_key", "no_wait", "arguments"};
  static constexpr auto fields() {
    using M = QueueBind;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::queue), schema::text<std::uint8_t>(&M::exchange),
        schema::text<std::uint8_t>(&M::routing_key), schema::bits(&M::no_wait),
        schema::raw<std::uint32_t>(&M::arguments));
  }
};

struct QueueBindOk {
  static constexpr MethodId id = 50 << 16 | 21;
  static constexpr std::string_view name = "queue.bind-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct QueuePurge {
  static constexpr MethodId id = 50 << 16 | 30;
  static constexpr std::string_view name = "queue.purge";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view queue{};
  bool no_wait = false;
  static constexpr std::array<std::string_view, 3> field_names = {"ticket", "queue", "no_wait"};
  static constexpr auto fields() {
    using M = QueuePurge;
    return std::tuple(&M::ticket, schema::text<std::uint8_t>(&M::queue), schema::bits(&M::no_wait));
  }
};

struct QueuePurgeOk {
  static constexpr MethodId id = 50 << 16 | 31;
  static constexpr std::string_view name = "queue.purge-ok";
  static constexpr bool has_content = false;
  std::uint32_t message_count = 0;
  static constexpr std::array<std::string_view, 1> field_names = {"message_count"};
  static constexpr auto fields() {
    using M = QueuePurgeOk;
    return std::tuple(&M::message_count);
  }
};

struct QueueDelete {
  static constexpr MethodId id = 50 << 16 | 40;
  static constexpr std::string_view name = "queue.delete";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view queue{};
  bool if_unused = false;
  bool if_empty = false;
  bool no_wait = false;
  static constexpr std::array<std::string_view, 5> field_names = {
      "ticket", "queue", "if_unused", "if_empty", "no_wait"};
  static constexpr auto fields() {
    using M = QueueDelete;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::queue),
        schema::bits(&M::if_unused, &M::if_empty, &M::no_wait));
  }
};

struct QueueDeleteOk {
  static constexpr MethodId id = 50 << 16 | 41;
  static constexpr std::string_view name = "queue.delete-ok";
  static constexpr bool has_content = false;
  std::uint32_t message_count = 0;
  static constexpr std::array<std::string_view, 1> field_names = {"message_count"};
  static constexpr auto fields() {
    using M = QueueDeleteOk;
    return std::tuple(&M::message_count);
  }
};

struct QueueUnbind {
  static constexpr MethodId id = 50 << 16 | 50;
  static constexpr std::string_view name = "queue.unbind";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view queue{};
  std::string_view exchange{};
  std::string_view routing_key{};
  Bytes arguments{};
  static constexpr std::array<std::string_view, 5> field_names = {
      "ticket", "queue", "exchange", "routing_key", "arguments"};
  static constexpr auto fields() {
    using M = QueueUnbind;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::queue), schema::text<std::uint8_t>(&M::exchange),
        schema::text<std::uint8_t>(&M::routing_key), schema::raw<std::uint32_t>(&M::arguments));
  }
};

struct QueueUnbindOk {
  static constexpr MethodId id = 50 << 16 | 51;
  static constexpr std::string_view name = "queue.unbind-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct BasicQos {
  static constexpr MethodId id = 60 << 16 | 10;
  static constexpr std::string_view name = "basic.qos";
  static constexpr bool has_content = false;
  std::uint32_t prefetch_size = 0;
  std::uint16_t prefetch_count = 0;
  bool global = false;
  static constexpr std::array<std::string_view, 3> field_names = {
      "prefetch_size", "prefetch_count", "global"};
  static constexpr auto fields() {
    using M = BasicQos;
    return std::tuple(&M::prefetch_size, &M::prefetch_count, schema::bits(&M::global));
  }
};

struct BasicQosOk {
  static constexpr MethodId id = 60 << 16 | 11;
  static constexpr std::string_view name = "basic.qos-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct BasicConsume {
  static constexpr MethodId id = 60 << 16 | 20;
  static constexpr std::string_view name = "basic.consume";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view queue{};
  std::string_view consumer_tag{};
  bool no_local = false;
  bool no_ack = false;
  bool exclusive = false;
  bool no_wait = false;
  Bytes arguments{};
  static constexpr std::array<std::string_view, 8> field_names = {
      "ticket", "queue", "consumer_tag", "no_local", "no_ack", "exclusive", "no_wait", "arguments"};
  static constexpr auto fields() {
    using M = BasicConsume;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::queue),
        schema::text<std::uint8_t>(&M::consumer_tag),
        schema::bits(&M::no_local, &M::no_ack, &M::exclusive, &M::no_wait),
        schema::raw<std::uint32_t>(&M::arguments));
  }
};

struct BasicConsumeOk {
  static constexpr MethodId id = 60 << 16 | 21;
  static constexpr std::string_view name = "basic.consume-ok";
  static constexpr bool has_content = false;
  std::string_view consumer_tag{};
  static constexpr std::array<std::string_view, 1> field_names = {"consumer_tag"};
  static constexpr auto fields() {
    using M = BasicConsumeOk;
    return std::tuple(schema::text<std::uint8_t>(&M::consumer_tag));
  }
};

struct BasicCancel {
  static constexpr MethodId id = 60 << 16 | 30;
  static constexpr std::string_view name = "basic.cancel";
  static constexpr bool has_content = false;
  std::string_view consumer_tag{};
  bool no_wait = false;
  static constexpr std::array<std::string_view, 2> field_names = {"consumer_tag", "no_wait"};
  static constexpr auto fields() {
    using M = BasicCancel;
    return std::tuple(schema::text<std::uint8_t>(&M::consumer_tag), schema::bits(&M::no_wait));
  }
};

struct BasicCancelOk {
  static constexpr MethodId id = 60 << 16 | 31;
  static constexpr std::string_view name = "basic.cancel-ok";
  static constexpr bool has_content = false;
  std::string_view consumer_tag{};
  static constexpr std::array<std::string_view, 1> field_names = {"consumer_tag"};
  static constexpr auto fields() {
    using M = BasicCancelOk;
    return std::tuple(schema::text<std::uint8_t>(&M::consumer_tag));
  }
};

struct BasicPublish {
  static constexpr MethodId id = 60 << 16 | 40;
  static constexpr std::string_view name = "basic.publish";
  static constexpr bool has_content = true;
  std::uint16_t ticket = 0;
  std::string_view exchange{};
  std::string_view routing_key{};
  bool mandatory = false;
  bool immediate = false;
  static constexpr std::array<std::string_view, 5> field_names = {
      "ticket", "exchange", "routing_key", "mandatory", "immediate"};
  static constexpr auto fields() {
    using M = BasicPublish;
    return std::tuple(
        &M::ticket, schema::text<std::uint8_t>(&M::exchange),
        schema::text<std::uint8_t>(&M::routing_key), schema::bits(&M::mandatory, &M::immediate));
  }
};

struct BasicReturn {
  static constexpr MethodId id = 60 << 16 | 50;
  static constexpr std::string_view name = "basic.return";
  static constexpr bool has_content = true;
  std::uint16_t reply_code = 0;
  std::string_view reply_text{};
  std::string_view exchange{};
  std::string_view routing_key{};
  static constexpr std::array<std::string_view, 4> field_names = {
      "reply_code", "reply_text", "exchange", "routing_key"};
  static constexpr auto fields() {
    using M = BasicReturn;
    return std::tuple(
        &M::reply_code, schema::text<std::uint8_t>(&M::reply_text),
        schema::text<std::uint8_t>(&M::exchange), schema::text<std::uint8_t>(&M::routing_key));
  }
};

struct BasicDeliver {
  static constexpr MethodId id = 60 << 16 | 60;
  static constexpr std::string_view name = "basic.deliver";
  static constexpr bool has_content = true;
  std::string_view consumer_tag{};
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange{};
  std::string_view routing_key{};
  static constexpr std::array<std::string_view, 5> field_names = {
      "consumer_tag", "delivery_tag", "redelivered", "exchange", "routing_key"};
  static constexpr auto fields() {
    using M = BasicDeliver;
    return std::tuple(
        schema::text<std::uint8_t>(&M::consumer_tag), &M::delivery_tag,
        schema::bits(&M::redelivered), schema::text<std::uint8_t>(&M::exchange),
        schema::text<std::uint8_t>(&M::routing_key));
  }
};

struct BasicGet {
  static constexpr MethodId id = 60 << 16 | 70;
  static constexpr std::string_view name = "basic.get";
  static constexpr bool has_content = false;
  std::uint16_t ticket = 0;
  std::string_view queue{};
  bool no_ack = false;
  static constexpr std::array<std::string_view, 3> field_names = {"ticket", "queue", "no_ack"};
  static constexpr auto fields() {
    using M = BasicGet;
    return std::tuple(&M::ticket, schema::text<std::uint8_t>(&M::queue), schema::bits(&M::no_ack));
  }
};

struct BasicGetOk {
  static constexpr MethodId id = 60 << 16 | 71;
  static constexpr std::string_view name = "basic.get-ok";
  static constexpr bool has_content = true;
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange{};
  std::string_view routing_key{};
  std::uint32_t message_count = 0;
  static constexpr std::array<std::string_view, 5> field_names = {
      "delivery_tag", "redelivered", "exchange", "routing_key", "message_count"};
  static constexpr auto fields() {
    using M = BasicGetOk;
    return std::tuple(
        &M::delivery_tag, schema::bits(&M::redelivered), schema::text<std::uint8_t>(&M::exchange),
        schema::text<std::uint8_t>(&M::routing_key), &M::message_count);
  }
};

struct BasicGetEmpty {
  static constexpr MethodId id = 60 << 16 | 72;
  static constexpr std::string_view name = "basic.get-empty";
  static constexpr bool has_content = false;
  std::string_view reserved_1{};
  static constexpr std::array<std::string_view, 1> field_names = {"reserved_1"};
  static constexpr auto fields() {
    using M = BasicGetEmpty;
    return std::tuple(schema::text<std::uint8_t>(&M::reserved_1));
  }
};

struct BasicAck {
  static constexpr MethodId id = 60 << 16 | 80;
  static constexpr std::string_view name = "basic.ack";
  static constexpr bool has_content = false;
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  static constexpr std::array<std::string_view, 2> field_names = {"delivery_tag", "multiple"};
  static constexpr auto fields() {
    using M = BasicAck;
    return std::tuple(&M::delivery_tag, schema::bits(&M::multiple));
  }
};

struct BasicReject {
  static constexpr MethodId id = 60 << 16 | 90;
  static constexpr std::string_view name = "basic.reject";
  static constexpr bool has_content = false;
  std::uint64_t delivery_tag = 0;
  bool requeue = false;
  static constexpr std::array<std::string_view, 2> field_names = {"delivery_tag", "requeue"};
  static constexpr auto fields() {
    using M = BasicReject;
    return std::tuple(&M::delivery_tag, schema::bits(&M::requeue));
  }
};

struct BasicRecoverAsync {
  static constexpr MethodId id = 60 << 16 | 100;
  static constexpr std::string_view name = "basic.recover-async";
  static constexpr bool has_content = false;
  bool requeue = false;
  static constexpr std::array<std::string_view, 1> field_names = {"requeue"};
  static constexpr auto fields() {
    using M = BasicRecoverAsync;
    return std::tuple(schema::bits(&M::requeue));
  }
};

struct BasicRecover {
  static constexpr MethodId id = 60 << 16 | 110;
  static constexpr std::string_view name = "basic.recover";
  static constexpr bool has_content = false;
  bool requeue = false;
  static constexpr std::array<std::string_view, 1> field_names = {"requeue"};
  static constexpr auto fields() {
    using M = BasicRecover;
    return std::tuple(schema::bits(&M::requeue));
  }
};

struct BasicRecoverOk {
  static constexpr MethodId id = 60 << 16 | 111;
  static constexpr std::string_view name = "basic.recover-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct BasicNack {
  static constexpr MethodId id = 60 << 16 | 120;
  static constexpr std::string_view name = "basic.nack";
  static constexpr bool has_content = false;
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  bool requeue = false;
  static constexpr std::array<std::string_view, 3> field_names = {
      "delivery_tag", "multiple", "requeue"};
  static constexpr auto fields() {
    using M = BasicNack;
    return std::tuple(&M::delivery_tag, schema::bits(&M::multiple, &M::requeue));
  }
};

struct ConfirmSelect {
  static constexpr MethodId id = 85 << 16 | 10;
  static constexpr std::string_view name = "confirm.select";
  static constexpr bool has_content = false;
  bool no_wait = false;
  static constexpr std::array<std::string_view, 1> field_names = {"no_wait"};
  static constexpr auto fields() {
    using M = ConfirmSelect;
    return std::tuple(schema::bits(&M::no_wait));
  }
};

struct ConfirmSelectOk {
  static constexpr MethodId id = 85 << 16 | 11;
  static constexpr std::string_view name = "confirm.select-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct TxSelect {
  static constexpr MethodId id = 90 << 16 | 10;
  static constexpr std::string_view name = "tx.select";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct TxSelectOk {
  static constexpr MethodId id = 90 << 16 | 11;
  static constexpr std::string_view name = "tx.select-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct TxCommit {
  static constexpr MethodId id = 90 << 16 | 20;
  static constexpr std::string_view name = "tx.commit";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct TxCommitOk {
  static constexpr MethodId id = 90 << 16 | 21;
  static constexpr std::string_view name = "tx.commit-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct TxRollback {
  static constexpr MethodId id = 90 << 16 | 30;
  static constexpr std::string_view name = "tx.rollback";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

struct TxRollbackOk {
  static constexpr MethodId id = 90 << 16 | 31;
  static constexpr std::string_view name = "tx.rollback-ok";
  static constexpr bool has_content = false;
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() {
    return std::tuple<>();
  }
};

// Calls visit.operator()<M>() for the method of that id; false when there is none.
template <class Visit>
bool visit_method(MethodId id, Visit&& visit) {
  switch (id) {
    case ConnectionStart::id: visit.template operator()<ConnectionStart>(); return true;
    case ConnectionStartOk::id: visit.template operator()<ConnectionStartOk>(); return true;
    case ConnectionSecure::id: visit.template operator()<ConnectionSecure>(); return true;
    case ConnectionSecureOk::id: visit.template operator()<ConnectionSecureOk>(); return true;
    case ConnectionTune::id: visit.template operator()<ConnectionTune>(); return true;
    case ConnectionTuneOk::id: visit.template operator()<ConnectionTuneOk>(); return true;
    case ConnectionOpen::id: visit.template operator()<ConnectionOpen>(); return true;
    case ConnectionOpenOk::id: visit.template operator()<ConnectionOpenOk>(); return true;
    case ConnectionClose::id: visit.template operator()<ConnectionClose>(); return true;
    case ConnectionCloseOk::id: visit.template operator()<ConnectionCloseOk>(); return true;
    case ConnectionBlocked::id: visit.template operator()<ConnectionBlocked>(); return true;
    case ConnectionUnblocked::id: visit.template operator()<ConnectionUnblocked>(); return true;
    case ConnectionUpdateSecret::id: visit.template operator()<ConnectionUpdateSecret>(); return true;
    case ConnectionUpdateSecretOk::id: visit.template operator()<ConnectionUpdateSecretOk>(); return true;
    case ChannelOpen::id: visit.template operator()<ChannelOpen>(); return true;
    case ChannelOpenOk::id: visit.template operator()<ChannelOpenOk>(); return true;
    case ChannelFlow::id: visit.template operator()<ChannelFlow>(); return true;
    case ChannelFlowOk::id: visit.template operator()<ChannelFlowOk>(); return true;
    case ChannelClose::id: visit.template operator()<ChannelClose>(); return true;
    case ChannelCloseOk::id: visit.template operator()<ChannelCloseOk>(); return true;
    case AccessRequest::id: visit.template operator()<AccessRequest>(); return true;
    case AccessRequestOk::id: visit.template operator()<AccessRequestOk>(); return true;
    case ExchangeDeclare::id: visit.template operator()<ExchangeDeclare>(); return true;
    case ExchangeDeclareOk::id: visit.template operator()<ExchangeDeclareOk>(); return true;
    case ExchangeDelete::id: visit.template operator()<ExchangeDelete>(); return true;
    case ExchangeDeleteOk::id: visit.template operator()<ExchangeDeleteOk>(); return true;
    case ExchangeBind::id: visit.template operator()<ExchangeBind>(); return true;
    case ExchangeBindOk::id: visit.template operator()<ExchangeBindOk>(); return true;
    case ExchangeUnbind::id: visit.template operator()<ExchangeUnbind>(); return true;
    case ExchangeUnbindOk::id: visit.template operator()<ExchangeUnbindOk>(); return true;
    case QueueDeclare::id: visit.template operator()<QueueDeclare>(); return true;
    case QueueDeclareOk::id: visit.template operator()<QueueDeclareOk>(); return true;
    case QueueBind::id: visit.template operator()<QueueBind>(); return true;
    case QueueBindOk::id: visit.template operator()<QueueBindOk>(); return true;
    case QueuePurge::id: visit.template operator()<QueuePurge>(); return true;
    case QueuePurgeOk::id: visit.template operator()<QueuePurgeOk>(); return true;
    case QueueDelete::id: visit.template operator()<QueueDelete>(); return true;
    case QueueDeleteOk::id: visit.template operator()<QueueDeleteOk>(); return true;
    case QueueUnbind::id: visit.template operator()<QueueUnbind>(); return true;
    case QueueUnbindOk::id: visit.template operator()<QueueUnbindOk>(); return true;
    case BasicQos::id: visit.template operator()<BasicQos>(); return true;
    case BasicQosOk::id: visit.template operator()<BasicQosOk>(); return true;
    case BasicConsume::id: visit.template operator()<BasicConsume>(); return true;
    case BasicConsumeOk::id: visit.template operator()<BasicConsumeOk>(); return true;
    case BasicCancel::id: visit.template operator()<BasicCancel>(); return true;
    case BasicCancelOk::id: visit.template operator()<BasicCancelOk>(); return true;
    case BasicPublish::id: visit.template operator()<BasicPublish>(); return true;
    case BasicReturn::id: visit.template operator()<BasicReturn>(); return true;
    case BasicDeliver::id: visit.template operator()<BasicDeliver>(); return true;
    case BasicGet::id: visit.template operator()<BasicGet>(); return true;
    case BasicGetOk::id: visit.template operator()<BasicGetOk>(); return true;
    case BasicGetEmpty::id: visit.template operator()<BasicGetEmpty>(); return true;
    case BasicAck::id: visit.template operator()<BasicAck>(); return true;
    case BasicReject::id: visit.template operator()<BasicReject>(); return true;
    case BasicRecoverAsync::id: visit.template operator()<BasicRecoverAsync>(); return true;
    case BasicRecover::id: visit.template operator()<BasicRecover>(); return true;
    case BasicRecoverOk::id: visit.template operator()<BasicRecoverOk>(); return true;
    case BasicNack::id: visit.template operator()<BasicNack>(); return true;
    case ConfirmSelect::id: visit.template operator()<ConfirmSelect>(); return true;
    case ConfirmSelectOk::id: visit.template operator()<ConfirmSelectOk>(); return true;
    case TxSelect::id: visit.template operator()<TxSelect>(); return true;
    case TxSelectOk::id: visit.template operator()<TxSelectOk>(); return true;
    case TxCommit::id: visit.template operator()<TxCommit>(); return true;
    case TxCommitOk::id: visit.template operator()<TxCommitOk>(); return true;
    case TxRollback::id: visit.template operator()<TxRollback>(); return true;
    case TxRollbackOk::id: visit.template operator()<TxRollbackOk>(); return true;
    default: return false;
  }
}

// How the specification writes it: "queue.declare"; empty when unknown.
inline std::string_view method_name(MethodId id) {
  std::string_view name;
  visit_method(id, [&]<class M>() { name = M::name; });
  return name;
}

}  // namespace wharf::amqp
