//! Migrations and the default table are compiled in: a change of either builds anew.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
    println!("cargo:rerun-if-changed=../jurisdictions.toml");
}
