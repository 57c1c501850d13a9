//! What has to hold of a pack or a log that was found good, though nobody without the log's key could
//! have made it otherwise than it was.

use serde_json::Value;
use trail::audit::Report;
use trail::audit::pack::{Kind, Pack, PackReport};
use trail::note::{Checkpoint, Note};
use trail::{Body, Leaf, hex};
use uuid::Uuid;

use crate::base::base;
use crate::change::Files;

/// A pack says nothing but what the log says.
///
/// # Panics
///
/// Where it says more.
pub fn pack(pack: &Pack, report: &PackReport) {
    let base = base();
    let leaf = |index: u64| &base.leaves[usize::try_from(index).expect("an index")];
    let head = head(&base.log);
    assert_eq!((&report.origin, report.size, &report.root), (&head.origin, head.size, &hex(&head.root)));
    assert_eq!(pack.manifest.account, "acme");
    for entry in &pack.entries {
        assert_eq!(&entry.leaf, leaf(entry.index));
        if let Some(detail) = &entry.detail {
            let genuine = &base.details[&entry.index];
            assert_eq!((detail.salt, &detail.document), (genuine.salt, &genuine.document));
        }
    }
    let leaves: Vec<Leaf> =
        base.leaves.iter().map(|leaf| serde_json::from_slice(leaf).expect("a leaf")).collect();
    let call_of = |id: Uuid| {
        let accepts = |leaf: &&Leaf| matches!(leaf.body, Body::Accepted { recording, .. } if recording == id);
        leaves.iter().find(accepts).expect("it was accepted").call.expect("of a call")
    };
    let names_of = |call: &Uuid| {
        let index = leaves.iter().position(|leaf| leaf.call == Some(*call)).expect("it was opened");
        let detail: Value = serde_json::from_str(&base.details[&(index as u64)].document).expect("JSON");
        let aliases = detail["aliases"].as_array().expect("aliases").iter();
        let names = [&detail["call"]].into_iter().chain(aliases).map(|name| name.as_str().expect("a name"));
        names.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let mut calls = report.calls.clone();
    calls.dedup();
    assert_eq!(calls, report.calls, "a call counts once");
    if let Some(name) = &report.call_id {
        assert!(names_of(calls.last().expect("a call")).contains(name));
    }
    match report.kind {
        Kind::Recording => assert_eq!(calls, [call_of(report.recording.expect("it has one"))]),
        Kind::Call => assert_eq!((calls.len(), report.recording), (1, None)),
        Kind::Absence => {
            let accepts = |leaf: &&Leaf| matches!(leaf.body, Body::Accepted { .. });
            assert!(
                !leaves
                    .iter()
                    .filter(accepts)
                    .any(|leaf| leaf.call.is_some_and(|call| calls.contains(&call)))
            );
            let name = report.call_id.as_ref().expect("it has one");
            assert!(calls.iter().all(|call| names_of(call).contains(name)));
        }
    }
    for document in pack.prompts.values() {
        let said: Value = serde_json::from_str(document).expect("JSON");
        let genuine =
            base.packs[0].iter().find(|(path, _)| path.starts_with("prompts/")).expect("a prompt").1;
        assert_eq!(said, serde_json::from_slice::<Value>(genuine).expect("JSON"));
    }
    if report.envelope {
        let bare = |text: &[u8]| {
            let mut envelope: Value = serde_json::from_slice(text).expect("JSON");
            envelope["keys"] = Value::Null;
            envelope
        };
        let said = pack.envelope.as_deref().expect("it is there");
        assert_eq!(bare(said.as_bytes()), bare(&base.packs[0]["envelope.json"]));
    }
}

/// A log is the one that was signed.
///
/// # Panics
///
/// Where it is another.
pub fn log(report: &Report, files: &Files) {
    let head = head(files);
    assert_eq!((&report.origin, report.size, &report.root), (&head.origin, head.size, &hex(&head.root)));
    assert!(report.details.present <= report.details.committed);
    assert_eq!(report.types.values().sum::<u64>(), report.size);
}

fn head(files: &Files) -> Checkpoint {
    let text = std::str::from_utf8(&files["checkpoint"]).expect("UTF-8");
    Checkpoint::parse(&Note::parse(text).expect("a note").text).expect("a head")
}
