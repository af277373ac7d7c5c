//! TLS to a real server.

use std::{env, fs, path::PathBuf};

use cache_core::{ErrorKind, backend::Backend};
use cache_redis::{Redis, testing::RedisServer};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::patient;

struct File(PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let path = env::temp_dir().join(format!("cache-redis-{}-{name}", std::process::id()));
        fs::write(&path, content).expect("a writable directory");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn server_for(name: &str) -> (RedisServer, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).expect("a name");
    let server = RedisServer::builder().certificate(&cert.pem(), &signing_key.serialize_pem()).start();
    (server, cert.pem())
}

#[tokio::test]
async fn a_certificate_in_the_ca_file_is_trusted() {
    let (server, certificate) = server_for("localhost");
    let ca = File::new("trusted.pem", &certificate);
    let redis = patient(server.tls_url()).ca_file(&ca.0).connect().await.unwrap();
    redis.probe().await.unwrap();
}

/// As a permanent error: otherwise nobody would notice that the tier is never used.
#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_an_error_at_connect() {
    let (unknown, _) = server_for("localhost");
    let error = patient(unknown.tls_url()).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("ca_file"), "{error}");

    let (misnamed, certificate) = server_for("elsewhere.example");
    let ca = File::new("misnamed.pem", &certificate);
    let connected = patient(misnamed.tls_url()).ca_file(&ca.0).connect().await;
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_an_error_at_connect() {
    let garbage = File::new("garbage.pem", "not a certificate");
    for file in [garbage.0.clone(), PathBuf::from("/nowhere/ca.pem")] {
        let error = Redis::builder("rediss://localhost").ca_file(file).connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("ca_file"), "{error}");
    }
}
