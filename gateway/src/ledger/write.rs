//! The questions before a write, and the writes: the same SQL on both engines.

use super::rows::{covered, covers};
use super::sql::Statement;
use super::{Change, Expect};

/// The SQL that asks whether an expectation holds; never NULL.
pub(super) fn question(expect: &Expect) -> Statement {
    match expect {
        Expect::Head { call, head } => Statement::new("EXISTS (SELECT 1 FROM call WHERE uid = ? AND head = ?)")
                .bind(call)
                .bind(head),
        Expect::Restrictions { account, count } => Statement::new("EXISTS (SELECT 1 FROM account WHERE id = ? AND restrictions = ?)")
                .bind(account)
                .bind(*count),
        Expect::NameIs { account, name, call } => Statement::new("(SELECT call FROM call_name WHERE account = ? AND name = ?) IS NOT DISTINCT FROM ?")
                .bind(account)
                .bind(name)
                .bind(&call.map(|call| call.to_string())),
        Expect::EventUnsent { call, id } => Statement::new("NOT EXISTS (SELECT 1 FROM sent_event WHERE call = ? AND id = ?)")
                .bind(call)
                .bind(id),
        Expect::RecordingNameFree { call, name } => Statement::new("NOT EXISTS (SELECT 1 FROM recording WHERE call = ? AND name = ?)")
                .bind(call)
                .bind(name),
        Expect::RecordingLive { id, unheld } => Statement::new(concat!(
            "EXISTS (SELECT 1 FROM recording WHERE id = ? AND deleted_at IS NULL AND NOT ((held OR ",
            covered!(),
            ") AND ?))"
        ))
                .bind(id)
                .bind(*unheld),
        Expect::QuarantineFree { account, identity, most } => Statement::new(
            "(NOT EXISTS (SELECT 1 FROM quarantine WHERE account = ? AND identity = ?) \
             AND (SELECT count(*) FROM quarantine WHERE account = ? AND ended_at IS NULL) < ?)",
        )
        .bind(account)
        .bind(identity)
        .bind(account)
        .bind(*most),
        Expect::Quarantined { id } => {
            Statement::new("EXISTS (SELECT 1 FROM quarantine WHERE id = ? AND ended_at IS NULL)").bind(id)
        }
        Expect::HoldFree { account, id } => Statement::new("NOT EXISTS (SELECT 1 FROM legal_hold WHERE account = ? AND id = ?)")
                .bind(account)
                .bind(id),
        Expect::HoldSet { uid } => Statement::new("EXISTS (SELECT 1 FROM legal_hold WHERE uid = ?)").bind(uid),
        Expect::GrantHolds { account, id } => Statement::new("EXISTS (SELECT 1 FROM consent_grant WHERE account = ? AND id = ? AND withdrawn_at IS NULL)")
                .bind(account)
                .bind(id),
        Expect::CallsWithGrant { account, id, calls } => Statement::new("(SELECT coalesce(string_agg(uid, ',' ORDER BY uid), '') FROM (SELECT DISTINCT call.uid FROM participant \
             JOIN call ON call.uid = participant.call WHERE participant.consent_grant = ? \
             AND call.account = ? AND call.ended_at IS NULL) AS relying) = ?")
                .bind(id)
                .bind(account)
                .bind(calls.join(",")),
        Expect::GrantFree { account, id } => Statement::new("NOT EXISTS (SELECT 1 FROM consent_grant WHERE account = ? AND id = ?)")
                .bind(account)
                .bind(id),
        Expect::Subject { tag, key } => Statement::new("(SELECT key FROM subject WHERE tag = ?) IS NOT DISTINCT FROM ?")
                .bind(tag)
                .bind(key),
        Expect::PromptVersion { account, id, version } => Statement::new("(SELECT coalesce(max(version), 0) FROM prompt WHERE account = ? AND id = ?) = ?")
                .bind(account)
                .bind(id)
                .bind(*version),
        Expect::KeyUsable { account, id } => Statement::new("EXISTS (SELECT 1 FROM public_key WHERE account = ? AND id = ? AND retired_at IS NULL)")
                .bind(account)
                .bind(id),
        Expect::KeysInUse { account, ids } => Statement::new("(SELECT coalesce(string_agg(id, ',' ORDER BY id), '') FROM public_key WHERE account = ? AND retired_at IS NULL) = ?")
                .bind(account)
                .bind(ids.join(",")),
        Expect::AccountFree { id } | Expect::AliasFree { folded: id } => Statement::new("NOT EXISTS (SELECT 1 FROM account WHERE id = ?) AND NOT EXISTS (SELECT 1 FROM account_alias WHERE folded = ?)")
                .bind(id)
                .bind(id),
        Expect::Alias { uid } => Statement::new("EXISTS (SELECT 1 FROM account_alias WHERE uid = ?)").bind(uid),
        Expect::CredentialNameFree { account, name } => Statement::new("NOT EXISTS (SELECT 1 FROM credential WHERE account = ? AND name = ? AND provisioner IS NOT NULL AND revoked_at IS NULL)")
                .bind(account)
                .bind(name),
        Expect::CredentialIs { username, hash } => Statement::new("EXISTS (SELECT 1 FROM credential WHERE username = ? AND hash = ? AND revoked_at IS NULL)")
                .bind(username)
                .bind(hash),
        Expect::AccountPlaces { id, operator, recorder } => Statement::new("EXISTS (SELECT 1 FROM account WHERE id = ? AND operator_location IS NOT DISTINCT FROM ? AND recorder_location IS NOT DISTINCT FROM ?)")
                .bind(id)
                .bind(operator)
                .bind(recorder),
        Expect::People { account, count } => Statement::new("(SELECT count(*) FROM person WHERE account = ?) = ?")
                .bind(account)
                .bind(*count),
        Expect::AccountSettings { id, settings } => Statement::new("EXISTS (SELECT 1 FROM account WHERE id = ? AND settings = ?)")
                .bind(id)
                .bind(settings),
        Expect::Law { digest } => Statement::new("(SELECT digest FROM table_version ORDER BY version DESC LIMIT 1) IS NOT DISTINCT FROM ?")
                .bind(digest),
        Expect::Version { number } => Statement::new("(SELECT coalesce(max(version), 0) FROM table_version) = ?")
                .bind(*number),
        Expect::OpenProposals { uids } => Statement::new("(SELECT coalesce(string_agg(uid, ',' ORDER BY uid), '') FROM proposal WHERE state = 'open') = ?")
                .bind(uids.join(",")),
        Expect::ProposalOf { uid, person } => Statement::new("EXISTS (SELECT 1 FROM proposal WHERE uid = ? AND state = 'open' AND person = ?)")
                .bind(uid)
                .bind(person),
        Expect::ReadingIs { account, id, in_force, end_proposer } => Statement::new(
            "EXISTS (SELECT 1 FROM reading WHERE account = ? AND id = ? AND ended_at IS NULL AND CASE WHEN in_force_at IS NULL THEN 0 ELSE 1 END = ? \
             AND end_proposer IS NOT DISTINCT FROM ?)",
        )
                .bind(account)
                .bind(id)
                .bind(i64::from(*in_force))
                .bind(end_proposer),
        Expect::ReadingsAllowed { account, code, allowed } => Statement::new("(SELECT count(*) FROM reading_allowance WHERE account = ? AND code = ?) = ?")
                .bind(account)
                .bind(code)
                .bind(i64::from(*allowed)),
        Expect::CallIs { call, id } => Statement::new("EXISTS (SELECT 1 FROM call WHERE uid = ? AND id = ?)")
                .bind(call)
                .bind(id),
        Expect::CallsMentioning { log, key, count } => Statement::new("(SELECT count(*) FROM call_mention WHERE log = ? AND key = ?) = ?")
                .bind(log)
                .bind(key)
                .bind(*count),
        Expect::CallsOfParticipant { account, id, count } => Statement::new("(SELECT count(*) FROM participant JOIN call ON call.uid = participant.call \
             WHERE participant.id = ? AND call.account = ?) = ?")
                .bind(id)
                .bind(account)
                .bind(*count),
        Expect::Droppable { log, epoch } => Statement::new("EXISTS (SELECT 1 FROM closed_log WHERE id = ? AND epoch = ? AND dropped_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM closed_log WHERE id = ? AND epoch < ? AND dropped_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM entry JOIN call ON call.uid = entry.call WHERE entry.log = ? AND entry.epoch = ? \
             AND entry.type = 'call.opened' AND call.ended_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM entry JOIN recording ON recording.call = entry.call WHERE entry.log = ? AND entry.epoch = ? \
             AND entry.type = 'call.opened' AND (recording.deleted_at IS NULL OR NOT recording.swept))")
                .bind(log)
                .bind(*epoch)
                .bind(log)
                .bind(*epoch)
                .bind(log)
                .bind(*epoch)
                .bind(log)
                .bind(*epoch),
        Expect::LogQuiet { log, since } => Statement::new("EXISTS (SELECT 1 FROM log WHERE id = ? AND last_at < ?)")
                .bind(log)
                .bind(*since),
        Expect::MarkIs { id, at } => Statement::new("EXISTS (SELECT 1 FROM mark WHERE id = ? AND well_at = ?)")
                .bind(id)
                .bind(*at),
        Expect::NotificationDue { id, due_at } => Statement::new("EXISTS (SELECT 1 FROM notification WHERE id = ? AND due_at = ? AND failed_at IS NULL)")
                .bind(id)
                .bind(*due_at),
        Expect::LogAt { log, epoch, size } => Statement::new("EXISTS (SELECT 1 FROM log WHERE id = ? AND epoch = ? AND size = ?)")
                .bind(log)
                .bind(*epoch)
                .bind(*size),
    }
}

/// The statements of a change, in order.
pub(super) fn statements(change: &Change) -> Vec<Statement> {
    vec![match change {
        Change::Account { id, operator, recorder, settings, provisioner, at } => Statement::new(
            "INSERT INTO account (id, operator_location, recorder_location, settings, provisioner, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(operator)
        .bind(recorder)
        .bind(settings)
        .bind(provisioner)
        .bind(*at),
        Change::AccountPlaces { id, operator, recorder } => {
            Statement::new("UPDATE account SET operator_location = ?, recorder_location = ? WHERE id = ?")
                .bind(operator)
                .bind(recorder)
                .bind(id)
        }
        Change::AccountProvisioner { id, provisioner } => {
            Statement::new("UPDATE account SET provisioner = ? WHERE id = ?").bind(provisioner).bind(id)
        }
        Change::AccountAlias { account, alias, folded, uid, salt, at } => Statement::new(
            "INSERT INTO account_alias (folded, alias, account, uid, added_at, salt) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(folded)
        .bind(alias)
        .bind(account)
        .bind(uid)
        .bind(*at)
        .bind(salt),
        Change::DropAccountAlias { uid } => Statement::new("DELETE FROM account_alias WHERE uid = ?").bind(uid),
        Change::RotateCredential { username, hash } => {
            Statement::new("UPDATE credential SET hash = ? WHERE username = ? AND revoked_at IS NULL")
                .bind(hash)
                .bind(username)
        }
        Change::Credential { username, account, role, name, person, provisioner, hash, coverage, on_refusal, quarantine_seconds, at } => Statement::new(
            "INSERT INTO credential (username, account, role, name, person, provisioner, hash, coverage, on_refusal, quarantine_seconds, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(username)
        .bind(account)
        .bind(role)
        .bind(name)
        .bind(&person.map(|person| person.to_string()))
        .bind(provisioner)
        .bind(hash)
        .bind(*coverage)
        .bind(*on_refusal)
        .bind(*quarantine_seconds)
        .bind(*at),
        Change::SetCredential { username, on_refusal, quarantine_seconds } => {
            Statement::new("UPDATE credential SET on_refusal = ?, quarantine_seconds = ? WHERE username = ?")
                .bind(*on_refusal)
                .bind(*quarantine_seconds)
                .bind(username)
        }
        Change::Person { id, account, folded, name, founding, salt, at } => Statement::new(
            "INSERT INTO person (id, account, folded, name, founding, enrolled_at, salt) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(account)
        .bind(folded)
        .bind(name)
        .bind(*founding)
        .bind(*at)
        .bind(salt),
        Change::ConfirmPerson { account, person, by, at } => Statement::new(
            "INSERT INTO person_confirmed (account, person, confirmer, confirmed_at) VALUES (?, ?, ?, ?) \
             ON CONFLICT (person, confirmer) DO NOTHING",
        )
        .bind(account)
        .bind(person)
        .bind(by)
        .bind(*at),
        Change::RevokeCredential { username, at } => {
            Statement::new("UPDATE credential SET revoked_at = ? WHERE username = ? AND revoked_at IS NULL")
                .bind(*at)
                .bind(username)
        }
        Change::Key { id, account, pem, at } => Statement::new(
            "INSERT INTO public_key (id, account, pem, added_at) VALUES (?, ?, ?, ?) \
             ON CONFLICT (account, id) DO UPDATE SET retired_at = NULL",
        )
        .bind(id)
        .bind(account)
        .bind(pem)
        .bind(*at),
        Change::RetireKey { id, account, at } => {
            Statement::new("UPDATE public_key SET retired_at = ? WHERE id = ? AND account = ? AND retired_at IS NULL")
                .bind(*at)
                .bind(id)
                .bind(account)
        }
        Change::Prompt { account, id, version, uid, document, salt, at } => {
            let superseded = Statement::new(
                "UPDATE prompt SET superseded_at = ? WHERE account = ? AND id = ? AND superseded_at IS NULL",
            )
            .bind(*at)
            .bind(account)
            .bind(id);
            let added = Statement::new(
                "INSERT INTO prompt (account, id, version, uid, document, created_at, salt) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(account)
            .bind(id)
            .bind(*version)
            .bind(uid)
            .bind(document)
            .bind(*at)
            .bind(salt);
            return vec![superseded, added];
        }
        Change::Grant { account, id, uid, document, salt, at } => Statement::new(
            "INSERT INTO consent_grant (account, id, uid, document, created_at, salt) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(account)
        .bind(id)
        .bind(uid)
        .bind(document)
        .bind(*at)
        .bind(salt),
        Change::WithdrawGrant { account, id, at } => Statement::new(
            "UPDATE consent_grant SET withdrawn_at = ? WHERE account = ? AND id = ? AND withdrawn_at IS NULL",
        )
        .bind(*at)
        .bind(account)
        .bind(id),
        Change::RecordingSettings { account, document, salt, at } => Statement::new(
            "INSERT INTO recording_settings (account, document, set_at, salt) VALUES (?, ?, ?, ?) \
             ON CONFLICT (account) DO UPDATE SET document = excluded.document, set_at = excluded.set_at, \
             salt = excluded.salt",
        )
        .bind(account)
        .bind(document)
        .bind(*at)
        .bind(salt),
        Change::Call { uid, account, id, names, body, at, head } => {
            let call = Statement::new("INSERT INTO call (uid, account, id, body, opened_at, head) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(uid)
                .bind(account)
                .bind(id)
                .bind(body)
                .bind(*at)
                .bind(head);
            let name = |name| {
                Statement::new(
                    "INSERT INTO call_name (account, name, call) VALUES (?, ?, ?) \
                     ON CONFLICT (account, name) DO UPDATE SET call = excluded.call",
                )
                .bind(account)
                .bind(name)
                .bind(uid)
            };
            return std::iter::once(call).chain(names.iter().map(name)).collect();
        }
        Change::CallEnded { uid, at } => {
            Statement::new("UPDATE call SET ended_at = ? WHERE uid = ? AND ended_at IS NULL").bind(*at).bind(uid)
        }
        Change::Participant { call, participant, id, number, ip, grant } => Statement::new(
            "INSERT INTO participant (call, participant, id, number, ip, consent_grant) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (call, participant) DO UPDATE SET number = coalesce(excluded.number, participant.number), \
             ip = coalesce(excluded.ip, participant.ip), consent_grant = coalesce(excluded.consent_grant, participant.consent_grant)",
        )
        .bind(call)
        .bind(i64::from(*participant))
        .bind(id)
        .bind(number)
        .bind(ip)
        .bind(grant),
        Change::SentEvent { call, id, digest } => {
            Statement::new("INSERT INTO sent_event (call, id, digest) VALUES (?, ?, ?)")
                .bind(call)
                .bind(id)
                .bind(digest)
        }
        Change::Recording { row } => Statement::new(
            "INSERT INTO recording (id, account, call, name, fingerprint, uploader, bytes, duration_ms, content_type, envelope, accepted_at, recorded_from, recorded_until, about, kept_at_least, kept_at_most, keep_until, delete_by, place) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.id)
        .bind(&row.account)
        .bind(&row.call)
        .bind(&row.name)
        .bind(&row.fingerprint)
        .bind(&row.uploader)
        .bind(row.bytes)
        .bind(row.duration_ms)
        .bind(&row.content_type)
        .bind(&row.envelope)
        .bind(row.accepted_at)
        .bind(row.recorded_from)
        .bind(row.recorded_until)
        .bind(&row.about)
        .bind(&row.kept_at_least)
        .bind(&row.kept_at_most)
        .bind(row.keep_until)
        .bind(row.delete_by)
        .bind(&row.place),
        Change::Enveloped { id } => {
            Statement::new("UPDATE recording SET enveloped = TRUE WHERE id = ?").bind(id)
        }
        Change::DeleteRecording { id, at } => {
            Statement::new("UPDATE recording SET deleted_at = ?, envelope = NULL WHERE id = ? AND deleted_at IS NULL")
                .bind(*at)
                .bind(id)
        }
        Change::Swept { id } => Statement::new("UPDATE recording SET swept = TRUE WHERE id = ?").bind(id),
        Change::Hold { id, held } => {
            Statement::new("UPDATE recording SET held = ? WHERE id = ?").bind(*held).bind(id)
        }
        Change::SetHold { row } => Statement::new(
            "INSERT INTO legal_hold (uid, account, id, recording, call, subject, participant, recorded_from, recorded_until, document, set_at, salt) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.uid)
        .bind(&row.account)
        .bind(&row.id)
        .bind(&row.recording)
        .bind(&row.call)
        .bind(&row.subject)
        .bind(&row.participant)
        .bind(row.recorded_from)
        .bind(row.recorded_until)
        .bind(&row.document)
        .bind(row.set_at)
        .bind(&row.salt),
        Change::LiftHold { uid } => Statement::new("DELETE FROM legal_hold WHERE uid = ?").bind(uid),
        Change::Quarantine { row } => Statement::new(
            "INSERT INTO quarantine (id, account, uploader, identity, fingerprint, document, place, locked, received_at, until_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.id)
        .bind(&row.account)
        .bind(&row.uploader)
        .bind(&row.identity)
        .bind(&row.fingerprint)
        .bind(&row.document)
        .bind(&row.place)
        .bind(&row.locked)
        .bind(row.received_at)
        .bind(row.until_at),
        Change::QuarantineEnded { id, at, kept } => {
            Statement::new("UPDATE quarantine SET ended_at = ?, locked = NULL, document = '{}', swept = ? WHERE id = ? AND ended_at IS NULL")
                .bind(*at)
                .bind(*kept)
                .bind(id)
        }
        Change::QuarantineSwept { id } => {
            Statement::new("UPDATE quarantine SET swept = TRUE WHERE id = ?").bind(id)
        }
        Change::ForgetQuarantine { before } => {
            Statement::new("DELETE FROM quarantine WHERE ended_at < ? AND swept").bind(*before)
        }
        Change::WaitingErasure { row } => Statement::new(
            "INSERT INTO waiting_erasure (uid, account, document, asked_at, salt) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&row.uid)
        .bind(&row.account)
        .bind(&row.document)
        .bind(row.asked_at)
        .bind(&row.salt),
        Change::ErasureDone { uid } => Statement::new("DELETE FROM waiting_erasure WHERE uid = ?").bind(uid),
        Change::RestrictCall { call, at } => {
            Statement::new("UPDATE call SET restricted_at = ? WHERE uid = ? AND restricted_at IS NULL").bind(*at).bind(call)
        }
        Change::Subject { tag, key, at } => {
            Statement::new("INSERT INTO subject (tag, key, created_at) VALUES (?, ?, ?)").bind(tag).bind(key).bind(*at)
        }
        Change::Probe { filler } => {
            Statement::new("INSERT INTO probe (one, filler) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET filler = excluded.filler")
                .bind(filler)
        }
        Change::Secret { name, mark } => {
            Statement::new("INSERT INTO secret (name, mark) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
                .bind(name)
                .bind(mark)
        }
        Change::Mark { id, at } => Statement::new(
            "INSERT INTO mark (id, well_at) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET well_at = excluded.well_at",
        )
        .bind(id)
        .bind(*at),
        Change::Unmark { id } => Statement::new("DELETE FROM mark WHERE id = ?").bind(id),
        Change::Checkpoint { log, epoch, size, note, at, kept } => {
            let passed = Statement::new("DELETE FROM checkpoint WHERE log = ? AND epoch = ? AND size < ? AND NOT kept AND NOT EXISTS \
                 (SELECT 1 FROM anchor WHERE anchor.log = checkpoint.log AND anchor.epoch = checkpoint.epoch AND anchor.size = checkpoint.size)")
                .bind(log)
                .bind(*epoch)
                .bind(*size);
            // The text is the same, so a longer note has one more signature, which is never taken away.
            let signed = Statement::new(
                "INSERT INTO checkpoint (log, epoch, size, note, signed_at, kept) VALUES (?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (log, epoch, size) DO UPDATE SET kept = checkpoint.kept OR excluded.kept, \
                 note = CASE WHEN length(checkpoint.note) > length(excluded.note) THEN checkpoint.note ELSE excluded.note END",
            )
            .bind(log)
            .bind(*epoch)
            .bind(*size)
            .bind(note)
            .bind(*at)
            .bind(*kept);
            return vec![passed, signed];
        }
        Change::Anchor { log, epoch, size, kind, name, evidence, at } => {
            // Anchors of a head that is not kept are of no use once the next one is confirmed.
            let passed = Statement::new(
                "DELETE FROM anchor WHERE log = ? AND epoch = ? AND size < ? AND kind = ? AND name = ? AND NOT EXISTS \
                 (SELECT 1 FROM checkpoint WHERE checkpoint.log = anchor.log AND checkpoint.epoch = anchor.epoch \
                 AND checkpoint.size = anchor.size AND checkpoint.kept)",
            )
                .bind(log)
                .bind(*epoch)
                .bind(*size)
                .bind(*kind)
                .bind(name);
            let anchor = Statement::new(
                "INSERT INTO anchor (log, epoch, size, kind, name, evidence, at) VALUES (?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (log, epoch, size, kind, name) DO NOTHING",
            )
            .bind(log)
            .bind(*epoch)
            .bind(*size)
            .bind(*kind)
            .bind(name)
            .bind(evidence)
            .bind(*at);
            return vec![passed, anchor];
        }
        Change::CloseLog { log, epoch, next, root, note, at } => {
            let closed = Statement::new(
                "INSERT INTO closed_log (id, epoch, size, root, note, closed_at) \
                 SELECT id, epoch, size, ?, ?, ? FROM log WHERE id = ? AND epoch = ?",
            )
            .bind(root)
            .bind(note)
            .bind(*at)
            .bind(log)
            .bind(*epoch);
            let opened = Statement::new(
                "INSERT INTO log (id, epoch, size, edge, last_at) VALUES (?, ?, 0, ?, 0) ON CONFLICT (id) DO UPDATE \
                 SET epoch = excluded.epoch, size = 0, edge = excluded.edge, last_at = 0 WHERE log.epoch = ?",
            )
            .bind(log)
            .bind(*next)
            .bind(&Vec::new())
            .bind(*epoch);
            return vec![closed, opened];
        }
        // The writer reads the rows.
        Change::Recommit { .. } => return Vec::new(),
        Change::Erase(erase) => return super::erase::statements(erase),
        Change::Table { digest, text, at } => Statement::new(
            "INSERT INTO jurisdiction_table (digest, text, first_used_at) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(digest)
        .bind(text)
        .bind(*at),
        Change::TableVersion { version, digest, salt, at, document } => Statement::new(
            "INSERT INTO table_version (version, digest, in_force_at, document, salt) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(*version)
        .bind(digest)
        .bind(*at)
        .bind(document)
        .bind(salt),
        Change::TableSource { origin, digest } => Statement::new(
            "INSERT INTO table_source (origin, digest) VALUES (?, ?) ON CONFLICT (origin) DO UPDATE SET digest = excluded.digest",
        )
        .bind(*origin)
        .bind(digest),
        Change::Proposal { row } => Statement::new(
            "INSERT INTO proposal (uid, digest, base, state, credential, person, document, proposed_at, expires_at, salt) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.uid)
        .bind(&row.digest)
        .bind(&row.base)
        .bind(&row.state)
        .bind(&row.credential)
        .bind(&row.person)
        .bind(&row.document)
        .bind(row.proposed_at)
        .bind(row.expires_at)
        .bind(&row.salt),
        Change::AdoptProposal { uid, credential, person } => {
            Statement::new("UPDATE proposal SET credential = ?, person = ? WHERE uid = ? AND state = 'open'")
                .bind(credential)
                .bind(person)
                .bind(uid)
        }
        Change::DecideProposal { uid, state, at, decision } => Statement::new(
            "UPDATE proposal SET state = ?, decided_at = ?, decision = ? WHERE uid = ? AND state = 'open'",
        )
        .bind(*state)
        .bind(*at)
        .bind(decision)
        .bind(uid),
        Change::Reading { row } => Statement::new(
            "INSERT INTO reading (account, id, code, document, credential, person, proposed_at, approver, in_force_at, salt) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.account)
        .bind(&row.id)
        .bind(&row.code)
        .bind(&row.document)
        .bind(&row.credential)
        .bind(&row.person)
        .bind(row.proposed_at)
        .bind(&row.approver)
        .bind(row.in_force_at)
        .bind(&row.salt),
        Change::ApproveReading { account, id, person, at } => Statement::new(
            "UPDATE reading SET approver = ?, in_force_at = ? WHERE account = ? AND id = ? AND in_force_at IS NULL AND ended_at IS NULL",
        )
        .bind(person)
        .bind(*at)
        .bind(account)
        .bind(id),
        Change::ProposeReadingEnd { account, id, person, at } => Statement::new(
            "UPDATE reading SET end_proposer = ?, end_proposed_at = ? WHERE account = ? AND id = ? AND in_force_at IS NOT NULL \
             AND end_proposer IS NULL AND ended_at IS NULL",
        )
        .bind(person)
        .bind(*at)
        .bind(account)
        .bind(id),
        Change::EndReading { account, id, at, decision } => Statement::new(
            "UPDATE reading SET ended_at = ?, decision = ? WHERE account = ? AND id = ? AND ended_at IS NULL",
        )
        .bind(*at)
        .bind(decision)
        .bind(account)
        .bind(id),
        Change::AllowReadings { row } => Statement::new(
            "INSERT INTO reading_allowance (account, code, document, allowed_at, salt) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&row.account)
        .bind(&row.code)
        .bind(&row.document)
        .bind(row.allowed_at)
        .bind(&row.salt),
        Change::DisallowReadings { account, code } => {
            Statement::new("DELETE FROM reading_allowance WHERE account = ? AND code = ?").bind(account).bind(code)
        }
        Change::Restrictions { account } => {
            Statement::new("UPDATE account SET restrictions = restrictions + 1 WHERE id = ?").bind(account)
        }
        // One transaction after another numbers them.
        Change::Notification { id, account, kind, call, recording, action, at, due_at } => Statement::new(
            "INSERT INTO notification (id, seq, account, kind, call, recording, action, queued_at, due_at) \
             VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM notification), ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(account)
        .bind(*kind)
        .bind(&call.map(|call| call.to_string()))
        .bind(&recording.map(|recording| recording.to_string()))
        .bind(action)
        .bind(*at)
        .bind(*due_at),
        Change::NotificationTried { id, attempts, due_at, outcome, failed_at } => Statement::new(
            "UPDATE notification SET attempts = ?, due_at = ?, outcome = ?, failed_at = ? WHERE id = ?",
        )
        .bind(*attempts)
        .bind(*due_at)
        .bind(outcome)
        .bind(*failed_at)
        .bind(id),
        Change::NotificationDone { id } => Statement::new("DELETE FROM notification WHERE id = ?").bind(id),
        Change::NotificationsForgotten { given_up_before } => {
            Statement::new("DELETE FROM notification WHERE failed_at < ?").bind(*given_up_before)
        }
        Change::AccountSettings { id, settings } => {
            Statement::new("UPDATE account SET settings = ? WHERE id = ?").bind(settings).bind(id)
        }
    }]
}
