//! Rows of registers, and the columns that entries commit to.

use crate::ledger::{
    AccountRow, AliasRow, ConfirmedRow, CredentialRow, GrantRow, HoldRow, KeyRow, PersonRow, PromptRow,
    ProposalRow, ReadingAllowanceRow, ReadingRow, RecordingRow, RecordingSettingsRow, VersionRow, WaitingRow,
};
use trail::SYSTEM_LOG;

/// A row of a register.
pub(in crate::ledger) trait Committed {
    /// Which register it belongs to.
    const REGISTER: &'static str;

    fn log(&self) -> &str;

    fn key(&self) -> String;

    /// The columns, as text, in the register's order; `None` if no such row may be registered.
    fn columns(&self) -> Option<Vec<Option<String>>>;
}

fn number(number: i64) -> Option<String> {
    Some(number.to_string())
}

impl Committed for AccountRow {
    const REGISTER: &'static str = "account";

    fn log(&self) -> &str {
        &self.id
    }

    fn key(&self) -> String {
        Self::REGISTER.to_owned()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { id, operator_location, recorder_location, settings, provisioner, created_at } =
            self.clone();
        // The system's own account is made with the table, and no entry registers it.
        let is_as_made = settings == "{}"
            && [&operator_location, &recorder_location, &provisioner].into_iter().all(Option::is_none);
        let registered = id != SYSTEM_LOG || !is_as_made;
        let rest = [Some(settings), provisioner, number(created_at)];
        registered.then(|| [Some(id), operator_location, recorder_location].into_iter().chain(rest).collect())
    }
}

impl Committed for AliasRow {
    const REGISTER: &'static str = "alias";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.uid.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { folded, alias, account, uid, added_at, salt } = self.clone();
        let texts = [folded, alias, account, uid].map(Some);
        Some(texts.into_iter().chain([number(added_at), Some(salt)]).collect())
    }
}

impl Committed for CredentialRow {
    const REGISTER: &'static str = "credential";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.username.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { username, account, role, name, person, provisioner, hash, .. } = self.clone();
        let Self { coverage, on_refusal, quarantine_seconds, created_at, revoked_at, .. } = self.clone();
        let texts = [username, account, role, name].map(Some);
        let rest = [person, provisioner, Some(hash), Some(coverage), Some(on_refusal)];
        let numbers = [number(quarantine_seconds), number(created_at), revoked_at.and_then(number)];
        Some(texts.into_iter().chain(rest).chain(numbers).collect())
    }
}

impl Committed for KeyRow {
    const REGISTER: &'static str = "key";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { id, account, pem, added_at, retired_at } = self.clone();
        Some(vec![Some(id), Some(account), Some(pem), number(added_at), retired_at.and_then(number)])
    }
}

impl Committed for RecordingSettingsRow {
    const REGISTER: &'static str = "recording-settings";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        Self::REGISTER.to_owned()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { account, document, set_at, salt } = self.clone();
        Some(vec![Some(account), Some(document), number(set_at), Some(salt)])
    }
}

impl Committed for ReadingRow {
    const REGISTER: &'static str = "reading";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { account, id, code, document, credential, person, .. } = self.clone();
        let Self { proposed_at, approver, in_force_at, end_proposer, end_proposed_at, .. } = self.clone();
        let Self { ended_at, decision, salt, .. } = self.clone();
        let texts = [account, id, code, document, credential, person].map(Some);
        let rest = [
            number(proposed_at),
            approver,
            in_force_at.and_then(number),
            end_proposer,
            end_proposed_at.and_then(number),
            ended_at.and_then(number),
            decision,
            Some(salt),
        ];
        Some(texts.into_iter().chain(rest).collect())
    }
}

impl Committed for ReadingAllowanceRow {
    const REGISTER: &'static str = "reading-allowance";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.code.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { account, code, document, allowed_at, salt } = self.clone();
        Some(vec![Some(account), Some(code), Some(document), number(allowed_at), Some(salt)])
    }
}

impl Committed for PromptRow {
    const REGISTER: &'static str = "prompt";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.uid.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { account, id, version, uid, document, created_at, superseded_at, salt } = self.clone();
        Some(vec![
            Some(account),
            Some(id),
            number(version),
            Some(uid),
            Some(document),
            number(created_at),
            superseded_at.and_then(number),
            Some(salt),
        ])
    }
}

impl Committed for GrantRow {
    const REGISTER: &'static str = "consent-grant";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.uid.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { account, id, uid, document, created_at, withdrawn_at, salt } = self.clone();
        let texts = [account, id, uid, document].map(Some);
        Some(
            texts
                .into_iter()
                .chain([number(created_at), withdrawn_at.and_then(number), Some(salt)])
                .collect(),
        )
    }
}

impl Committed for RecordingRow {
    const REGISTER: &'static str = "hold";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        self.held.then(|| vec![Some(self.id.clone())])
    }
}

impl Committed for PersonRow {
    const REGISTER: &'static str = "person";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { id, account, folded, name, founding, enrolled_at, salt } = self.clone();
        let texts = [id, account, folded, name].map(Some);
        Some(
            texts.into_iter().chain([number(i64::from(founding)), number(enrolled_at), Some(salt)]).collect(),
        )
    }
}

impl Committed for ConfirmedRow {
    const REGISTER: &'static str = "confirmation";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        format!("{}/{}", self.person, self.confirmer)
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { account, person, confirmer, confirmed_at } = self.clone();
        Some(vec![Some(account), Some(person), Some(confirmer), number(confirmed_at)])
    }
}

impl Committed for VersionRow {
    const REGISTER: &'static str = super::VERSION;

    fn log(&self) -> &str {
        SYSTEM_LOG
    }

    fn key(&self) -> String {
        self.version.to_string()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { version, digest, in_force_at, document, salt } = self.clone();
        Some(vec![number(version), Some(digest), number(in_force_at), Some(document), Some(salt)])
    }
}

impl Committed for ProposalRow {
    const REGISTER: &'static str = "proposal";

    fn log(&self) -> &str {
        SYSTEM_LOG
    }

    fn key(&self) -> String {
        self.uid.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { uid, digest, base, state, credential, person, document, .. } = self.clone();
        let texts = [uid, digest, base, state, credential, person, document].map(Some);
        let Self { proposed_at, expires_at, decided_at, decision, salt, .. } = self.clone();
        let rest =
            [number(proposed_at), number(expires_at), decided_at.and_then(number), decision, Some(salt)];
        Some(texts.into_iter().chain(rest).collect())
    }
}

impl Committed for HoldRow {
    const REGISTER: &'static str = "legal-hold";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.uid.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { uid, account, id, recording, call, subject, participant, document, salt, .. } =
            self.clone();
        let when = [self.recorded_from.and_then(number), self.recorded_until.and_then(number)];
        let what = [Some(uid), Some(account), Some(id), recording, call, subject, participant];
        let rest = [Some(document), number(self.set_at), Some(salt)];
        Some(what.into_iter().chain(when).chain(rest).collect())
    }
}

impl Committed for WaitingRow {
    const REGISTER: &'static str = "waiting-erasure";

    fn log(&self) -> &str {
        &self.account
    }

    fn key(&self) -> String {
        self.uid.clone()
    }

    fn columns(&self) -> Option<Vec<Option<String>>> {
        let Self { uid, account, document, asked_at, salt } = self.clone();
        Some(vec![Some(uid), Some(account), Some(document), number(asked_at), Some(salt)])
    }
}
