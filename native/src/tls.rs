//! TLS as libpq's `sslmode` means it: what is tried, in which order, and what is checked of the server.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode as Wire;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result};

/// What the URL says about TLS.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    pub mode: String,
    /// A file of root certificates, or "system".
    pub root_cert: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
}

/// One way to connect. Several are tried in order; nothing above `prefer` ever tries one without TLS.
#[derive(Clone)]
pub struct Way {
    pub wire: Wire,
    pub tls: Option<MakeRustlsConnect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

impl TlsConfig {
    /// The ways to try over TCP.
    pub fn ways(&self) -> Result<Vec<Way>> {
        let plain = Way { wire: Wire::Disable, tls: None };
        Ok(match self.mode.as_str() {
            "disable" => vec![plain],
            "allow" => vec![plain, self.way(Wire::Require, Check::Nothing)?],
            "prefer" => vec![self.way(Wire::Prefer, Check::Nothing)?, plain],
            // libpq: given root certificates, `require` checks against them.
            "require" if self.root_cert.is_none() => vec![self.way(Wire::Require, Check::Nothing)?],
            "require" | "verify-ca" => vec![self.way(Wire::Require, Check::Chain)?],
            "verify-full" => vec![self.way(Wire::Require, Check::ChainAndName)?],
            mode => {
                return Err(Error::Argument(format!(
                    "sslmode is disable, allow, prefer, require, verify-ca or verify-full, not {mode:?}"
                )));
            }
        })
    }

    fn way(&self, wire: Wire, check: Check) -> Result<Way> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unavailable("TLS can't be set up", &error))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(check, provider)?);
        let config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|error| unavailable("the client certificate can't be used", &error))?,
            (None, None) => builder.with_no_client_auth(),
            _ => {
                return Err(Error::Unavailable("a client certificate needs both sslcert and sslkey".to_owned()));
            }
        };
        Ok(Way { wire, tls: Some(MakeRustlsConnect::new(config)) })
    }

    fn verifier(&self, check: Check, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        if check == Check::Nothing {
            return Ok(Arc::new(Verifier { check, chain: None, roots: Vec::new(), provider }));
        }
        let Some(place) = &self.root_cert else {
            return Err(Error::Unavailable(format!(
                "sslmode={} needs sslrootcert: a file of root certificates, or \"system\"",
                self.mode
            )));
        };
        if place == "system" && check != Check::ChainAndName {
            return Err(Error::Unavailable(
                "sslrootcert=system needs sslmode=verify-full: anybody can have a certificate from a public authority"
                    .to_owned(),
            ));
        }
        let roots = if place == "system" { system_roots() } else { certificates(place)? };
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(roots.iter().cloned());
        if added == 0 {
            return Err(Error::Unavailable(format!("{place}: no root certificate is in it")));
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
            .build()
            .map_err(|error| unavailable("the root certificates can't be used", &error))?;
        Ok(Arc::new(Verifier { check, chain: Some(chain), roots, provider }))
    }
}

fn unavailable(what: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Unavailable(format!("{what}: {}", crate::error::chain(error)))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(Path::new(path)).and_then(|found| found.collect());
    let all = all.map_err(|error| unavailable(&format!("{path} can't be read as PEM certificates"), &error))?;
    match all.is_empty() {
        true => Err(Error::Unavailable(format!("{path}: no certificate is in it"))),
        false => Ok(all),
    }
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| unavailable(&format!("{path} can't be read as a PEM private key"), &error))
}

fn system_roots() -> Vec<CertificateDer<'static>> {
    // Single unreadable files are no reason to refuse the others; an empty result is refused by the caller.
    rustls_native_certs::load_native_certs().certs
}

fn is_out_of_date(reason: &CertificateError) -> bool {
    matches!(
        reason,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

/// Checks as much as `check` says; signatures of the handshake are always checked.
#[derive(Debug)]
struct Verifier {
    check: Check,
    chain: Option<Arc<WebPkiServerVerifier>>,
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // webpki looks at the name last, when the chain has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.check == Check::Chain => Ok(ServerCertVerified::assertion()),
            // The server's own certificate is given as a root: webpki knows no such thing, libpq does. It has looked
            // at the dates before it comes to what the certificate may be used for.
            Err(rustls::Error::InvalidCertificate(reason))
                if self.roots.contains(end_entity) && !is_out_of_date(&reason) =>
            {
                if self.check == Check::ChainAndName {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
