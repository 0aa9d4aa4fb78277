// storage/store_shadow.h: what a store should hold, by the plainest means, for the tests that
// compare.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "storage/store.h"

namespace wharf::storage {

struct ShadowRecord {
  std::string text;
  bool is_volatile = false;
  std::uint32_t failures = 0;
};

struct ShadowLane {
  std::map<Sequence, ShadowRecord> live;
  Sequence next = 1;
  Sequence deliverable = 0;
};

struct ShadowChange {
  enum class Kind : std::uint8_t {
    append,
    settle,
    failures,
    deliverable,
    drop_lane,
    settle_below,
    meta
  };
  Kind kind;
  std::vector<LaneRef> refs{};
  std::string text{};
  bool is_volatile = false;
  std::uint32_t failures = 0;
  Lsn end = 0;  // durable when the store is durable up to here
};

struct Shadow {
  std::map<std::uint64_t, ShadowLane> lanes;
  std::vector<std::string> metas;

  void apply(const ShadowChange& change) {
    using Kind = ShadowChange::Kind;
    LaneRef ref = change.refs.empty() ? LaneRef{} : change.refs[0];
    switch (change.kind) {
      case Kind::append:
        for (const LaneRef& each : change.refs) {
          ShadowLane& lane = lanes[each.lane.value()];
          lane.live[each.sequence] = {change.text, change.is_volatile, 0};
          lane.next = each.sequence + 1;
        }
        return;
      case Kind::settle:
        lanes[ref.lane.value()].live.erase(ref.sequence);
        return;
      case Kind::failures:
        lanes[ref.lane.value()].live.at(ref.sequence).failures = change.failures;
        return;
      case Kind::deliverable: {
        ShadowLane& lane = lanes[ref.lane.value()];
        lane.deliverable = std::max(lane.deliverable, ref.sequence);
        return;
      }
      case Kind::drop_lane:
        lanes.erase(ref.lane.value());
        return;
      case Kind::settle_below: {
        auto& live = lanes[ref.lane.value()].live;
        live.erase(live.begin(), live.lower_bound(ref.sequence));
        return;
      }
      case Kind::meta:
        metas.push_back(change.text);
        return;
    }
  }

  // What a restart leaves of it.
  Shadow survivors() const {
    Shadow left = *this;
    for (auto& [id, lane] : left.lanes) {
      std::erase_if(lane.live, [](const auto& entry) { return entry.second.is_volatile; });
    }
    return left;
  }

  // As texts, lanes that hold nothing left out, so that two can be compared and shown.
  std::string describe() const {
    std::string text;
    for (const auto& [id, lane] : lanes) {
      if (lane.live.empty() && lane.deliverable == 0) continue;
      text += "lane " + std::to_string(id) + " <=" + std::to_string(lane.deliverable) + ":";
      for (const auto& [sequence, record] : lane.live) {
        text += " " + std::to_string(sequence) + "=" + record.text.substr(0, 8) + "/" +
                std::to_string(record.text.size()) + "/" + std::to_string(record.failures);
      }
      text += "\n";
    }
    for (const std::string& meta : metas) text += "meta " + meta + "\n";
    return text;
  }
};

}  // namespace wharf::storage
