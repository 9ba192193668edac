//! `openmcp-dns-deploy-builder`: writes what is installed, `deploy/install.yaml` and `deploy/chart`.

use std::path::Path;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, text) in openmcp_dns_deploy_builder::generate(&deploy)? {
        let file = deploy.join(name);
        let folder = file.parent().context("a file lies in a folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
        std::fs::write(&file, text).with_context(|| format!("failed to write {}", file.display()))?;
    }
    Ok(())
}
