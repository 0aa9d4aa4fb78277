// broker/change_codec.h: changes of the catalog as bytes, for the log and its snapshots. One form
// for both: a record of any number of changes. Layout: docs/formats/catalog.md. Vhosts are written
// by name, since their numbers come from the configuration of the day.
#pragma once

#include <span>
#include <vector>

#include "auth/access.h"
#include "broker/change.h"
#include "wire/writer.h"

namespace wharf::broker {

// Appends one record that holds `changes`, in order. The owner of a queue is not written: exclusive
// queues do not outlive their session.
void encode_changes(std::span<const Change> changes, const auth::Access& vhosts, ByteVector& out);

// The whole of `record` must be one record.
// Faults: malformed; unsupported (a newer version); not_found (a vhost which is not configured any
// more).
Result<std::vector<Change>> decode_changes(Bytes record, const auth::Access& vhosts);

}  // namespace wharf::broker
