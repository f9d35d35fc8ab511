//! TLS, client certificates, users and tokens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use etcd_client::{Client, ConnectOptions, Permission};
use keyhouse_storage::{At, Batch, OpenError, Revision, Store as _};
use keyhouse_storage_etcd::{EtcdSettings, EtcdStore};

use crate::cluster::Cluster;
use crate::raw::Raw;

fn open(url: &str) -> Result<EtcdStore, OpenError> {
    EtcdStore::open(&EtcdSettings::parse(url).unwrap())
}

fn openssl(folder: &Path, words: &str) {
    let output =
        Command::new("openssl").args(words.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, a certificate of a server, and one of a client.
fn certificates(folder: &Path) {
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
    );
    fs::write(
        folder.join("server.ext"),
        "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n",
    )
    .unwrap();
    fs::write(folder.join("client.ext"), "extendedKeyUsage=clientAuth\n").unwrap();
    for name in ["server", "client"] {
        openssl(
            folder,
            &format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN=keyhouse"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile {name}.ext -out {name}.pem"
            ),
        );
    }
    fs::set_permissions(folder.join("client.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn client_certificate_opens_a_store_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let cluster = Cluster::with_tls(&[
        "--cert-file",
        &file("server.pem"),
        "--key-file",
        &file("server.key"),
        "--trusted-ca-file",
        &file("ca.pem"),
        "--client-cert-auth",
    ]);
    let url = |authority: &str| format!("{}?ca={authority}", cluster.url("keyhouse"));
    let identity = format!("&cert={}&key={}", file("client.pem"), file("client.key"));
    let store = open(&(url(&file("ca.pem")) + &identity)).unwrap();
    assert_eq!(store.commit(Batch::new().put("a", "")), Ok(Revision(1)));
    // Without a client certificate, or with an authority that has not signed the server's.
    for url in [url(&file("ca.pem")), url(&file("server.pem")) + &identity] {
        let refused = open(&url);
        assert!(matches!(refused, Err(OpenError::Unavailable(_))), "{url}: {refused:?}");
    }
}

/// Creates root and a user with rights below one prefix, and turns authentication on.
fn turn_authentication_on(raw: &Raw) {
    let mut client = raw.client();
    raw.run(async move {
        client.user_add("root", "root password", None).await?;
        client.user_grant_role("root", "root").await?;
        client.role_add("keyhouse").await?;
        let permission = Permission::read_write("keyhouse/").with_prefix();
        client.role_grant_permission("keyhouse", permission).await?;
        client.user_add("kh", "kh password", None).await?;
        client.user_grant_role("kh", "keyhouse").await?;
        client.auth_enable().await?;
        Ok::<_, etcd_client::Error>(())
    })
    .unwrap();
}

/// A sign-in with the header of an ended token fails, so the store signs in without it.
#[test]
fn stale_authorization_is_left_out_when_a_token_has_ended() {
    let mut cluster = Cluster::start(1, &[]);
    turn_authentication_on(&Raw::new(&cluster.endpoint(0)));
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "kh password\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let place = cluster.url("keyhouse").replace("etcd://", "etcd://kh@");
    let url = format!("{place}?password-file={}", password.display());
    let store = open(&url).unwrap();
    assert_eq!(store.commit(Batch::new().put("a", "")), Ok(Revision(1)));
    // Simple tokens end with the process of the member.
    cluster.kill(0);
    cluster.restart(0);
    assert!(store.get(b"a", At::Latest).unwrap().is_some());
    assert_eq!(store.commit(Batch::new().put("a", "")), Ok(Revision(2)));
    store.close().unwrap();
    // The role ends at the prefix, and a wrong password is named without its text.
    let place = place.replace("/keyhouse", "/other");
    let outside = open(&format!("{place}?password-file={}", password.display()));
    assert!(
        matches!(&outside, Err(OpenError::Unavailable(it)) if it.to_string().contains("permission denied")),
        "{outside:?}"
    );
    fs::write(&password, "wrong password\n").unwrap();
    let wrong = open(&url);
    let Err(OpenError::Unavailable(cause)) = wrong else { panic!("{wrong:?}") };
    let cause = cause.to_string();
    assert!(
        cause.contains("authentication failed") && !cause.contains("wrong password"),
        "{cause}"
    );
}

/// The role of the store's user covers nothing else, also inside a transaction.
#[test]
fn user_of_the_store_cannot_read_other_prefixes() {
    let cluster = Cluster::start(1, &[]);
    let raw = Raw::new(&cluster.endpoint(0));
    raw.put("other", b"secret");
    turn_authentication_on(&raw);
    let options = ConnectOptions::new().with_user("kh", "kh password");
    let endpoint = cluster.endpoint(0);
    let read = raw.run(async move {
        let mut client = Client::connect([endpoint], Some(options)).await?;
        client.get("other", None).await
    });
    let error = read.unwrap_err().to_string();
    assert!(error.contains("permission denied"), "{error}");
}
