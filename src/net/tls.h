// net/tls.h: TLS as a filter between two chains of bytes: it owns no socket and never waits, so a
// TLS connection has the same pumps as a plain one, and an idle one keeps no buffers of its own.
// TLS 1.2 and 1.3 only, through OpenSSL 3; no renegotiation, no compression.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

#include "base/fault.h"
#include "wire/bytes.h"
#include "wire/chain.h"

struct ssl_st;
struct ssl_ctx_st;

namespace wharf::net {

enum class ClientCertificates : std::uint8_t {
  ignored,   // not asked for
  optional,  // verified when one is sent; a bad one ends the handshake
  required,
};

// Which part of a verified certificate's subject names the user.
enum class CertificateName : std::uint8_t { common_name, distinguished_name };

struct TlsOptions {
  std::string certificate_file;  // PEM, the chain behind it
  std::string key_file;          // PEM
  std::string ca_file;           // PEM; needed unless client certificates are ignored
  ClientCertificates clients = ClientCertificates::ignored;
  CertificateName name = CertificateName::common_name;
};

// The listener's side of all handshakes. Constant after make; any thread.
class TlsContext {
 public:
  // The error names the file and what OpenSSL said of it.
  static std::expected<std::unique_ptr<TlsContext>, std::string> make(const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }
  const TlsOptions& options() const { return options_; }

 private:
  TlsContext(ssl_ctx_st* context, TlsOptions options);
  ssl_ctx_st* context_;
  TlsOptions options_;
};

// One connection's side. Flow: feed, then handshake until it is true, then read until it gives 0;
// after that the fed bytes are used up and may go. Faults are final: nothing but `out` may be used
// after one.
class TlsFilter {
 public:
  // `context` must outlive the filter.
  explicit TlsFilter(const TlsContext& context);
  ~TlsFilter();
  TlsFilter(const TlsFilter&) = delete;
  TlsFilter& operator=(const TlsFilter&) = delete;

  // The bytes stay the caller's and must live until they are used up.
  void feed(Bytes ciphertext) { input_ = ciphertext; }
  // True once it is finished. Faults: malformed, also for a certificate that does not verify.
  Result<bool> handshake(Chain& out);
  // Decrypts up to a record into `to`; 0 when all that was fed is used up. Faults: malformed.
  Result<std::size_t> read(std::span<std::byte> to, Chain& out);
  // The peer has said that nothing follows.
  bool ended() const;
  // Encrypts the front of `plain` until `out` holds `out_size_max` or `plain` is empty. Faults: io.
  Result<void> write(Chain& plain, Chain& out, std::size_t out_size_max);
  // Says that nothing follows.
  void close(Chain& out);

  // The name in the client's verified certificate; empty when there is none, or no single such
  // name.
  std::string certificate_name() const;

 private:
  friend struct FilterBio;
  Result<void> judge(int outcome, const char* why) const;

  const TlsContext& context_;
  ssl_st* ssl_;
  Bytes input_;
  Chain* out_ = nullptr;  // set during each call
};

}  // namespace wharf::net
