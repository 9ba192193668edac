//! The image that `make image` packs: what the archive is made of, and that the same program gives the same bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use openmcp_dns_tests::programs::repository;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn pack(program: &Path, archive: &Path, name: &str) {
    let mut command = Command::new(repository("scripts/image"));
    run(command.arg("--binary").arg(program).arg("--out").arg(archive).arg("--name").arg(name));
}

fn unpack(archive: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    run(Command::new("tar").arg("--extract").arg("--file").arg(archive).arg("--directory").arg(to));
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A blob that a descriptor names, as it must be: of this digest and size.
fn blob(archive: &Path, descriptor: &Value) -> Vec<u8> {
    let named = descriptor["digest"].as_str().unwrap();
    let bytes = fs::read(archive.join("blobs").join(named.replace(':', "/"))).unwrap();
    assert_eq!(digest(&bytes), named);
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

#[test]
fn the_archive_is_what_containerd_and_docker_load() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, unpacked) = (folder.path().join("image.tar"), folder.path().join("unpacked"));
    pack(Path::new("/bin/true"), &archive, "openmcp-dns:1.2.3");
    unpack(&archive, &unpacked);

    // As containerd and kind read it.
    assert_eq!(json(&unpacked.join("oci-layout"))["imageLayoutVersion"], "1.0.0");
    let index = json(&unpacked.join("index.json"));
    let descriptor = &index["manifests"][0];
    assert_eq!(descriptor["annotations"]["io.containerd.image.name"], "docker.io/library/openmcp-dns:1.2.3");
    let manifest: Value = serde_json::from_slice(&blob(&unpacked, descriptor)).unwrap();
    let config: Value = serde_json::from_slice(&blob(&unpacked, &manifest["config"])).unwrap();
    let layer = folder.path().join("layer.tar.gz");
    fs::write(&layer, blob(&unpacked, &manifest["layers"][0])).unwrap();

    // As docker reads it: the same blobs.
    let docker = json(&unpacked.join("manifest.json"));
    assert_eq!(docker[0]["RepoTags"][0], "openmcp-dns:1.2.3");
    for (path, descriptor) in
        [(&docker[0]["Config"], &manifest["config"]), (&docker[0]["Layers"][0], &manifest["layers"][0])]
    {
        let named = descriptor["digest"].as_str().unwrap().replace(':', "/");
        assert_eq!(path.as_str(), Some(&*format!("blobs/{named}")));
    }

    // The layer is the one that the configuration says, and the program in it runs, as nobody in particular.
    let content =
        Command::new("gzip").args(["--decompress", "--stdout"]).arg(&layer).output().unwrap().stdout;
    assert_eq!(config["rootfs"]["diff_ids"][0], digest(&content));
    assert_eq!(config["config"]["User"], "65532:65532");
    let entry = config["config"]["Entrypoint"][0].as_str().unwrap();
    let files = folder.path().join("files");
    unpack(&layer, &files);
    let mode = fs::metadata(files.join("usr/local/bin/openmcp-dns")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    // With nothing but what is in the image, the dynamic linker included.
    let root = format!("--root={}", files.display());
    run(Command::new("unshare").args(["--map-root-user", &root, "--", entry]));
}

#[test]
fn the_same_program_gives_the_same_image_wherever_and_whenever_it_is_packed() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| {
        let program = folder.path().join(name);
        // With the time of now.
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let archive = folder.path().join(format!("{name}.tar"));
        pack(&program, &archive, "registry.example:5000/team/openmcp-dns:1");
        fs::read(archive).unwrap()
    });
    assert!(one == other);
    let text = String::from_utf8_lossy(&one);
    assert!(text.contains(r#""io.containerd.image.name":"registry.example:5000/team/openmcp-dns:1""#));
}
