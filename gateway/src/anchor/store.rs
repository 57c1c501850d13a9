//! A write-once place for signed checkpoints: a directory or a bucket that somebody else keeps.
//!
//! What somebody who controls it can do: withhold checkpoints. They cannot make one, since they have
//! no key of the log. What the operator can do depends on the place: a bucket with object lock, an
//! append-only directory or a mount of another machine keeps what it has even from them.
//!
//! Every checkpoint is an object of its own, named after its log and its size:
//! `<directory>/<origin, escaped>/<size>.checkpoint`, or `<prefix>/<origin>/<size, 20 digits>.checkpoint`.
//!
//! INVARIANT: nothing is ever overwritten or removed. A checkpoint of a size that is kept already must
//! have the same text, or it is a [`StoreError::SplitView`]; one with the same text and other
//! signatures is not kept a second time.

use std::path::Path;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::path::{Path as Key, PathPart};
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};

use super::http::Http;
use super::{BucketConfig, WriteOnceConfig};
use trail::note::{Checkpoint, CheckpointError, Note};

use self::directory::Directory;

mod directory;

/// The place.
#[derive(Debug, Clone)]
pub struct WriteOnce(Place);

#[derive(Debug, Clone)]
enum Place {
    Directory(Arc<Directory>),
    Bucket { store: Arc<dyn ObjectStore>, prefix: Key },
}

impl WriteOnce {
    /// Opens the place. A directory must exist: one that is missing is a mount that is missing.
    ///
    /// Credentials that a bucket's configuration does not have are asked of `environment` by the
    /// names that every S3 client uses, [`super::ACCESS_KEY`] and [`super::SECRET_KEY`].
    ///
    /// # Errors
    ///
    /// If the directory is not there, or the settings of the bucket make no sense. A bucket is
    /// not reached yet.
    pub fn open(
        config: &WriteOnceConfig,
        http: &Http,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<WriteOnce, StoreError> {
        match config {
            WriteOnceConfig::Directory(config) => Ok(WriteOnce::directory(&config.directory)?),
            WriteOnceConfig::Bucket(config) => WriteOnce::bucket(config, http, environment),
        }
    }

    fn directory(root: &Path) -> Result<WriteOnce, StoreError> {
        Ok(WriteOnce(Place::Directory(Arc::new(Directory::open(root)?))))
    }

    fn bucket(
        config: &BucketConfig,
        http: &Http,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<WriteOnce, StoreError> {
        let (access_key, secret_key) = config.credentials(environment).ok_or(StoreError::Credentials)?;
        let secure = config.secure()?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(access_key)
            .with_secret_access_key(secret_key.as_str())
            // A bucket with object lock refuses objects that come without.
            .with_checksum_algorithm(Checksum::SHA256)
            .with_retry(retries())
            .with_http_connector(match secure {
                true => http.secure_connector(),
                false => http.plain_connector(),
            });
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/')).with_allow_http(!secure);
        }
        let store = builder.build().map_err(StoreError::Bucket)?;
        let prefix = Key::from_iter(config.prefix.split('/'));
        Ok(WriteOnce(Place::Bucket { store: Arc::new(store), prefix }))
    }

    /// Keeps a checkpoint, durably. Keeping the same again is harmless, from any node.
    ///
    /// # Errors
    ///
    /// [`StoreError::SplitView`] if the place has another checkpoint of that log and size: the log was
    /// rewritten. Other errors if the place fails; then it may or may not have been kept, and a retry is
    /// safe.
    pub async fn keep(&self, note: &Note) -> Result<Kept, StoreError> {
        let checkpoint = Checkpoint::parse(&note.text).map_err(StoreError::Note)?;
        let bytes = note.to_string().into_bytes();
        match &self.0 {
            Place::Directory(directory) => {
                let (directory, text) = (Arc::clone(directory), note.text.clone());
                let keep = move || directory.keep(&checkpoint, &text, &bytes);
                tokio::task::spawn_blocking(keep).await.map_err(|_| StoreError::Stopped)?
            }
            Place::Bucket { store, prefix } => {
                let key = key(prefix, &checkpoint)?;
                keep_object(store.as_ref(), &key, &checkpoint, &note.text, bytes).await
            }
        }
    }
}

/// The outcome of keeping a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is there now.
    New,
    /// It was there before, with these or other signatures.
    Already,
}

/// Why a checkpoint is not kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place has another checkpoint of the same size.
    #[error(
        "split view: the write-once place has another checkpoint of `{origin}` with {size} entries; \
         the log was rewritten after it was kept"
    )]
    SplitView {
        /// Which log.
        origin: String,
        /// How many entries.
        size: u64,
    },
    /// The object under the checkpoint's name is not a checkpoint.
    #[error("`{0}` in the write-once place is not a checkpoint")]
    Foreign(String),
    /// Not a checkpoint.
    #[error("the note to keep is not a checkpoint")]
    Note(#[source] CheckpointError),
    /// An origin that cannot be part of a key.
    #[error("the log's origin `{0}` cannot name an object")]
    Origin(String),
    /// The directory failed.
    #[error("the write-once directory cannot be used at `{}`", path.display())]
    Directory {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bucket failed.
    #[error("the write-once bucket cannot be used")]
    Bucket(#[source] object_store::Error),
    /// No credentials.
    #[error(
        "the write-once bucket has no credentials; set `access_key` and `secret_key`, or \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    Credentials,
    /// Plain HTTP that nobody asked for.
    #[error("the endpoint `{0}` does not begin with `https://`; set `allow_http = true` if that is meant")]
    Plain(String),
    /// The program is ending.
    #[error("the program is ending")]
    Stopped,
}

/// Looks first, so that a store without conditional writes does as well. Two that write different
/// texts at the same moment can both succeed; a versioned bucket, and one with object lock always is
/// one, then keeps both.
async fn keep_object(
    store: &dyn ObjectStore,
    key: &Key,
    checkpoint: &Checkpoint,
    text: &str,
    bytes: Vec<u8>,
) -> Result<Kept, StoreError> {
    match store.get(key).await {
        Ok(found) if found.meta.size > LONGEST => return Err(StoreError::Foreign(key.to_string())),
        Ok(found) => {
            let found = found.bytes().await.map_err(StoreError::Bucket)?;
            return match kept_text(&found) {
                Some(kept) => same(&kept, text, checkpoint),
                None => Err(StoreError::Foreign(key.to_string())),
            };
        }
        Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => return Err(StoreError::Bucket(error)),
    }
    // A crash here leaves nothing: an object is there whole or not at all.
    store.put(key, PutPayload::from(bytes)).await.map_err(StoreError::Bucket)?;
    Ok(Kept::New)
}

fn same(kept: &str, text: &str, checkpoint: &Checkpoint) -> Result<Kept, StoreError> {
    if kept == text {
        return Ok(Kept::Already);
    }
    Err(StoreError::SplitView { origin: checkpoint.origin.clone(), size: checkpoint.size })
}

/// The text of a kept note; `None` if the bytes are not one.
fn kept_text(bytes: &[u8]) -> Option<String> {
    Some(Note::parse(std::str::from_utf8(bytes).ok()?).ok()?.text)
}

/// Twenty digits, so that a listing of the bucket is in the order of the log.
fn key(prefix: &Key, checkpoint: &Checkpoint) -> Result<Key, StoreError> {
    let origin = &checkpoint.origin;
    if origin.split('/').any(str::is_empty) {
        // Two such origins would share a key.
        return Err(StoreError::Origin(origin.clone()));
    }
    let name = format!("{:020}.checkpoint", checkpoint.size);
    let below = origin.split('/').map(PathPart::from).chain([PathPart::from(name)]);
    Ok(prefix.parts().chain(below).collect())
}

/// Half a minute at most: the next round comes with a newer checkpoint.
fn retries() -> RetryConfig {
    RetryConfig {
        max_retries: 2,
        retry_timeout: std::time::Duration::from_secs(30),
        backoff: BackoffConfig::default(),
    }
}

/// Longer than any checkpoint with all its signatures, in bytes.
const LONGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests;
