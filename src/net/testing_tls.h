// net/testing_tls.h: certificates made on the spot, and a blocking TLS client.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/testing.h"

namespace wharf::net {

// A key and a certificate for it, kept as PEM files in a folder that goes with the object.
class TestCertificate {
 public:
  // Signed by `issuer`, by itself when there is none.
  explicit TestCertificate(const std::string& common_name, const TestCertificate* issuer = nullptr)
      : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_, X509_VERSION_3);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 24L * 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* subject = X509_get_subject_name(certificate_);
    add(subject, "O", "Wharf Tests");
    add(subject, "CN", common_name);
    X509_set_issuer_name(certificate_,
                         issuer ? X509_get_subject_name(issuer->certificate_) : subject);
    X509_EXTENSION* authority = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints,
                                                    issuer ? "CA:FALSE" : "critical,CA:TRUE");
    X509_add_ext(certificate_, authority, -1);
    X509_EXTENSION_free(authority);
    X509_sign(certificate_, issuer ? issuer->key_ : key_, EVP_sha256());
    save();
  }
  ~TestCertificate() {
    std::filesystem::remove_all(folder_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  std::string certificate_file() const { return folder_ / "certificate.pem"; }
  std::string key_file() const { return folder_ / "key.pem"; }

 private:
  static void add(X509_NAME* name, const char* field, const std::string& text) {
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(text.data()),
                               static_cast<int>(text.size()), -1, 0);
  }

  void save() {
    std::string pattern = std::filesystem::temp_directory_path() / "wharf-tls-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::FILE* file = std::fopen(certificate_file().c_str(), "w");
    PEM_write_X509(file, certificate_);
    std::fclose(file);
    file = std::fopen(key_file().c_str(), "w");
    PEM_write_PrivateKey(file, key_, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }

  EVP_PKEY* key_;
  X509* certificate_;
  std::filesystem::path folder_;
};

class TestTlsClient {
 public:
  // `version_max` is 0 for the newest; `identity` is what the client shows, if anything.
  explicit TestTlsClient(std::uint16_t port, int version_max = 0,
                         const TestCertificate* identity = nullptr)
      : socket(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_max_proto_version(context_, version_max);
    if (identity) {
      SSL_CTX_use_certificate_file(context_, identity->certificate_file().c_str(),
                                   SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_, identity->key_file().c_str(), SSL_FILETYPE_PEM);
    }
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket.descriptor());
    connected = SSL_connect(ssl_) == 1;
  }
  ~TestTlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TestTlsClient(const TestTlsClient&) = delete;
  TestTlsClient& operator=(const TestTlsClient&) = delete;

  bool send(std::string_view text) {
    std::size_t size = 0;
    return SSL_write_ex(ssl_, text.data(), text.size(), &size) == 1 && size == text.size();
  }
  std::string receive(std::size_t size) {
    std::string text(size, '\0');
    std::size_t have = 0;
    std::size_t got = 0;
    while (have < size && SSL_read_ex(ssl_, text.data() + have, size - have, &got) == 1)
      have += got;
    text.resize(have);
    return text;
  }
  // Empty when the server has hung up, which in TLS 1.3 is how a refused certificate shows.
  std::string ask(std::string_view text) {
    if (!send(unit(text))) return "";
    std::string size = receive(1);
    return size.empty() ? "" : receive(static_cast<unsigned char>(size[0]));
  }
  bool at_clean_end() {
    char byte = 0;
    int outcome = SSL_read(ssl_, &byte, 1);
    return SSL_get_error(ssl_, outcome) == SSL_ERROR_ZERO_RETURN;
  }
  void say_goodbye() { SSL_shutdown(ssl_); }

  TestClient socket;
  bool connected = false;

 private:
  SSL_CTX* context_;
  SSL* ssl_;
};

}  // namespace wharf::net
