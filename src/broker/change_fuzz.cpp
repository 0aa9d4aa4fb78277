// Any bytes either fault or decode to changes that encode to the same bytes, and applying them
// never breaks a catalog.
#include <algorithm>
#include <cstdint>

#include "broker/catalog_testing.h"

using namespace wharf;
using namespace wharf::broker;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto access = catalog_testing::open_access();
  Bytes record(reinterpret_cast<const std::byte*>(data), size);
  Result<std::vector<Change>> changes = decode_changes(record, *access);
  if (!changes) return 0;
  ByteVector again;
  encode_changes(*changes, *access, again);
  ASSERT(std::ranges::equal(again, record));
  Catalog catalog(2, catalog_testing::predeclared());
  for (const Change& change : *changes) static_cast<void>(catalog.apply(change));
  Catalog copy(2, catalog_testing::predeclared());
  for (const Change& change : catalog.changes(Catalog::Extent::whole)) ASSERT(copy.apply(change));
  ASSERT(catalog_testing::fingerprint(copy, *access) ==
         catalog_testing::fingerprint(catalog, *access));
  return 0;
}
