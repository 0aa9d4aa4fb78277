#include "net/tls.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/assert.h"

namespace wharf::net {

// OpenSSL's view of the filter: reads take from the fed bytes, writes go to the chain of the call.
struct FilterBio {
  static int read(BIO* bio, char* to, std::size_t size, std::size_t* read_size) {
    auto* filter = static_cast<TlsFilter*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (filter->input_.empty()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    *read_size = std::min(size, filter->input_.size());
    std::memcpy(to, filter->input_.data(), *read_size);
    filter->input_ = filter->input_.subspan(*read_size);
    return 1;
  }

  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
    auto* filter = static_cast<TlsFilter*>(BIO_get_data(bio));
    ASSERT(filter->out_ != nullptr);
    filter->out_->append(bytes_of({from, size}));
    *written = size;
    return 1;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* make(TlsFilter& filter) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "filter");
      ASSERT(made != nullptr);
      BIO_meth_set_read_ex(made, &FilterBio::read);
      BIO_meth_set_write_ex(made, &FilterBio::write);
      BIO_meth_set_ctrl(made, &FilterBio::control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    ASSERT(bio != nullptr);
    BIO_set_data(bio, &filter);
    BIO_set_init(bio, 1);
    return bio;
  }
};

namespace {

std::string openssl_says(std::string what) {
  char text[256] = "unknown reason";
  if (unsigned long code = ERR_peek_last_error()) ERR_error_string_n(code, text, sizeof(text));
  ERR_clear_error();
  return std::move(what) + ": " + text;
}

bool set_versions_and_modes(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  constexpr unsigned char session_context[] = "wharf";
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context)) == 1;
}

// Empty when all is well.
std::string load_files(SSL_CTX* context, const TlsOptions& options) {
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    return openssl_says("certificate " + options.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return openssl_says("key " + options.key_file);
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return openssl_says("key " + options.key_file + " is not that of " + options.certificate_file);
  }
  if (options.clients == ClientCertificates::ignored) return {};
  if (options.ca_file.empty()) return "client certificates need a CA file";
  if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
    return openssl_says("CA file " + options.ca_file);
  }
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.ca_file.c_str());
  if (!names) return openssl_says("CA file " + options.ca_file);
  SSL_CTX_set_client_CA_list(context, names);
  int required =
      options.clients == ClientCertificates::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, nullptr);
  return {};
}

// The one common name; empty when there are several, or when it holds a zero byte.
std::string common_name(X509_NAME* subject) {
  int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0) return {};
  ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  unsigned char* text = nullptr;
  int size = ASN1_STRING_to_UTF8(&text, value);
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return name.find('\0') == std::string::npos ? name : std::string();
}

// As RFC 2253 writes it.
std::string distinguished_name(X509_NAME* subject) {
  BIO* bio = BIO_new(BIO_s_mem());
  ASSERT(bio != nullptr);
  std::string name;
  if (X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253) >= 0) {
    char* text = nullptr;
    long size = BIO_get_mem_data(bio, &text);
    name.assign(text, static_cast<std::size_t>(size));
  }
  BIO_free(bio);
  return name;
}

}  // namespace

TlsContext::TlsContext(ssl_ctx_st* context, TlsOptions options)
    : context_(context), options_(std::move(options)) {}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

std::expected<std::unique_ptr<TlsContext>, std::string> TlsContext::make(
    const TlsOptions& options) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (!context) return std::unexpected(openssl_says("TLS"));
  std::unique_ptr<TlsContext> made(new TlsContext(context, options));
  if (!set_versions_and_modes(context)) return std::unexpected(openssl_says("TLS"));
  if (std::string why = load_files(context, options); !why.empty()) return std::unexpected(why);
  return made;
}

TlsFilter::TlsFilter(const TlsContext& context)
    : context_(context), ssl_(SSL_new(context.native())) {
  ASSERT(ssl_ != nullptr);
  BIO* bio = FilterBio::make(*this);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

TlsFilter::~TlsFilter() { SSL_free(ssl_); }

Result<void> TlsFilter::judge(int outcome, const char* why) const {
  int error = SSL_get_error(ssl_, outcome);
  ERR_clear_error();
  bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN;
  if (waits) return {};
  return fault(Errc::malformed, why);
}

Result<bool> TlsFilter::handshake(Chain& out) {
  out_ = &out;
  ERR_clear_error();
  int outcome = SSL_do_handshake(ssl_);
  if (outcome == 1) return true;
  if (Result<void> waits = judge(outcome, "TLS handshake failed"); !waits) {
    return std::unexpected(waits.error());
  }
  return false;
}

Result<std::size_t> TlsFilter::read(std::span<std::byte> to, Chain& out) {
  out_ = &out;
  ERR_clear_error();
  std::size_t size = 0;
  int outcome = SSL_read_ex(ssl_, to.data(), to.size(), &size);
  if (outcome == 1) return size;
  if (Result<void> waits = judge(outcome, "TLS record is broken"); !waits) {
    return std::unexpected(waits.error());
  }
  return 0;
}

bool TlsFilter::ended() const { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }

Result<void> TlsFilter::write(Chain& plain, Chain& out, std::size_t out_size_max) {
  out_ = &out;
  std::vector<Bytes> pieces;
  while (!plain.empty() && out.size() < out_size_max) {
    plain.front_pieces(pieces, 1);
    ERR_clear_error();
    std::size_t size = 0;
    if (SSL_write_ex(ssl_, pieces[0].data(), pieces[0].size(), &size) != 1) {
      ERR_clear_error();
      return fault(Errc::io, "TLS cannot write");
    }
    plain.consume(size);
  }
  return {};
}

void TlsFilter::close(Chain& out) {
  out_ = &out;
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::string TlsFilter::certificate_name() const {
  if (context_.options().clients == ClientCertificates::ignored) return {};
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (!certificate || SSL_get_verify_result(ssl_) != X509_V_OK) return {};
  X509_NAME* subject = X509_get_subject_name(certificate);
  return context_.options().name == CertificateName::common_name ? common_name(subject)
                                                                 : distinguished_name(subject);
}

}  // namespace wharf::net
