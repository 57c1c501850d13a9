//! Writes the inputs that the targets begin with, and the log that is changed, below `target/fuzz`.

use fuzz::{base, change};
use trail::note::{Note, SigningKey};
use trail::proof::TlogProof;
use trail::trust::Trust;

fn main() -> std::io::Result<()> {
    base::make();
    let base = base::base();
    let head = cosigned(base::head(&base.leaves));
    let put = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(base::seeds(target))?;
        std::fs::write(base::seeds(target).join(name), bytes)
    };

    put("note", "head", head.to_string().as_bytes())?;
    put("note", "plain", base::head(&base.leaves).to_string().as_bytes())?;
    put("note", "checkpoint", head.text.as_bytes())?;
    put("note", "signature", head.signatures[1].to_string().as_bytes())?;
    put("note", "vkey", base::key().verifier().to_string().as_bytes())?;

    for (path, bytes) in base.log.iter().chain(&base.wide).filter(|(path, _)| path.starts_with("tile/")) {
        put("tile", &path.replace('/', "-"), bytes)?;
        put("tile", &format!("path-{}", path.replace('/', "-")), path.as_bytes())?;
    }
    put("tile", "far", b"tile/5/x123/x456/789.p/17")?;

    for size in [1u8, 9, 63, 64] {
        put("tree", &size.to_string(), &[size; 64])?;
    }

    for (index, checkpoint) in [(0, base::head(&base.leaves)), (17, head.clone())] {
        let extra = (index > 0).then(|| b"nothing".to_vec());
        let proof = TlogProof { extra, index, hashes: base::proofs(&base.leaves)(index), checkpoint };
        put("proof", &index.to_string(), proof.to_string().as_bytes())?;
    }

    put("trust", "log", format!("log {}\nquorum none\n", base::key().verifier()).as_bytes())?;
    let keys: Vec<String> = (7..12).map(|seed| witness(seed).cosigner().to_string()).collect();
    let mut file = format!("# us\nlog {} https://example.com\n", base::key().verifier());
    keys.iter().enumerate().for_each(|(n, key)| file.push_str(&format!("witness w{n}\t{key}\n")));
    file.push_str("\ngroup a all w0 w1\ngroup b any w2 w3\ngroup c 2 a b w4\nquorum c\n");
    put("trust", "witnesses", file.as_bytes())?;
    put("trust", "written", Trust::parse(&file).expect("a trust file").to_string().as_bytes())?;

    for (name, files) in base.packs.iter().chain([&base.log]).enumerate() {
        put("archive", &name.to_string(), &change::zipped(files).expect("names of ours"))?;
    }
    for (name, document) in documents()? {
        put("markup", &name, document.as_bytes())?;
        if name.ends_with('1') {
            let utf16: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
            put("markup", &format!("{name}-utf16"), &utf16)?;
        }
    }
    // What the changes to these are is the fuzzer's to find out.
    for (number, target) in (0u8..8).flat_map(|number| [(number, "pack"), (number, "log")]) {
        put(target, &number.to_string(), &[number.wrapping_mul(37); 96])?;
    }
    Ok(())
}

/// The documents of the tests of call markup, numbered.
fn documents() -> std::io::Result<Vec<(String, String)>> {
    let mut documents = Vec::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../gateway/markup/tests/corpus"))?
    {
        let text = std::fs::read_to_string(file?.path())?;
        let cases = text
            .split("## ")
            .skip(1)
            .filter_map(|case| Some(case.split_once('\n')?.1.split("\n-> ").next()?.to_owned()));
        documents.extend(cases);
    }
    Ok(documents.into_iter().enumerate().map(|(n, document)| (n.to_string(), document)).collect())
}

fn cosigned(head: Note) -> Note {
    let witnesses = [7, 8, 10].map(|seed| witness(seed).cosign(&head.text, 1_795_000_000));
    Note { signatures: head.signatures.iter().cloned().chain(witnesses).collect(), ..head }
}

fn witness(seed: u8) -> SigningKey {
    SigningKey::from_seed("witness.example.org", &[seed; 32]).expect("a name")
}
