// Boost.JSON, compiled here instead of linked: Debian's headers are all that is needed.
#include <boost/json/src.hpp>
