// auth/subject_rules.h: rules about names made of segments: what somebody may publish to and
// subscribe to, as lists of patterns: segments joined by '.', `*` for one segment, `>` at the end
// for one or more. Pure functions over constant values; any thread. Cost: linear in the patterns.
// Source of the rules:
// https://docs.nats.io/running-a-nats-service/configuration/securing_nats/authorization
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace wharf::auth {

// A deny wins over an allow; where nothing is allowed by name, everything is. An entry may name a
// group behind a blank ("jobs.> workers"), a pattern too; then it is about subscriptions of such a
// group only.
struct SubjectRule {
  std::vector<std::string> allow;
  std::vector<std::string> deny;
};

// Who may not publish to a name may still answer there, for so many messages and so long.
struct ResponseRule {
  std::uint32_t max = 1;  // 0: no limit
  Duration expires = std::chrono::minutes(2);
};

struct SubjectPermissions {
  SubjectRule publish;
  SubjectRule subscribe;
  std::optional<ResponseRule> responses;
};

// Whether every name that `pattern` means is one of `of`'s.
bool is_subset(std::string_view pattern, std::string_view of);
// Whether there is a name that both mean.
bool overlaps(std::string_view one, std::string_view other);

bool may_publish(const SubjectRule& rule, std::string_view name);

enum class MaySubscribe : std::uint8_t {
  no,
  filtered,  // yes, and each name is to be asked for with may_hear
  yes,
};
MaySubscribe may_subscribe(const SubjectRule& rule, std::string_view pattern,
                           std::string_view group);
// For a name that a filtered subscription means.
bool may_hear(const SubjectRule& rule, std::string_view name, std::string_view group);

}  // namespace wharf::auth
