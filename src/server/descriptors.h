// server/descriptors.h: how many files the system lets this process have open, and who gets them.
// The disk comes first: a broker that cannot open its log for want of descriptors acknowledges
// nothing any more, while a connection that is turned away comes again.
#pragma once

#include <cstdint>

namespace wharf::server {

// Takes all that the system allows (the hard limit); the soft limit is made for programs of another
// age. Returns how many there are.
std::uint64_t raise_descriptor_limit();

// How many connections `descriptors` leave room for, beside `shards` disks and loops. May be 0.
std::uint64_t connections_that_fit(std::uint64_t descriptors, std::uint32_t shards);

}  // namespace wharf::server
