// base/assert.h: checks that stay in every build. A failed one is a bug of ours: it says where and
// ends the process, since recovery from the log is the tested path. Bytes of a peer or of a disk
// never reach an assert; they get a Fault (base/fault.h).
#pragma once

namespace wharf {

[[noreturn]] void assert_failed(const char* condition, const char* file, int line);

}  // namespace wharf

#define ASSERT(condition) \
  ((condition) ? (void)0 : ::wharf::assert_failed(#condition, __FILE__, __LINE__))

// For checks whose cost grows with the data. The dev preset, the fuzzers and the simulator have
// them.
#ifdef WHARF_SLOW_CHECKS
#define ASSERT_SLOW(condition) ASSERT(condition)
#else
#define ASSERT_SLOW(condition) ((void)0)
#endif
