//! Creates the first owner of an instance from the settings.

use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::actions::signing_in::setup::FirstOwner;
use crate::actions::{ActionError, Actions};
use crate::cli::exit::{Exit, Failure, decoded, print_message};
use crate::config::Settings;
use crate::model::secret::Secret;

/// Creates the first owner if the settings name one and the instance is not set up. Returns whether
/// the instance is set up afterwards.
pub(super) fn create_first_owner(actions: &Actions, settings: &Settings) -> Result<bool, Failure> {
    let founded = actions.is_founded().map_err(|error| action_failed(&error))?;
    let Some(email) = &settings.admin_email else { return Ok(founded) };
    if founded {
        print_message("--admin-email is ignored: this instance is already set up");
        return Ok(true);
    }
    let password = password(settings.admin_password_file.as_deref())?;
    let owner = FirstOwner { name: None, email: email.clone(), password };
    actions.found(&owner, None, None).map_err(|error| action_failed(&error))?;
    print_message(&format!("created {email} as owner and operator"));
    Ok(true)
}

/// Reads the password from the first line of a file, or prompts for it twice on a terminal.
fn password(file: Option<&Path>) -> Result<Secret, Failure> {
    if let Some(path) = file {
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::io(&format!("read {}", path.display()), &error))?;
        let bytes = zeroize::Zeroizing::new(bytes);
        let text = decoded(&bytes, &path.display().to_string())?;
        if is_open_to_others(path) {
            print_message(&format!(
                "{0} is readable by other users: run `chmod 600 {0}`",
                path.display()
            ));
        }
        return Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()));
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let message = "--admin-email needs --admin-password-file if there is no terminal";
        return Err(Failure::new(Exit::Usage, message));
    }
    let request = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|error| Failure::io("read a password", &error))
    };
    let first = Secret::new(request("Password of the owner: ")?);
    let again = Secret::new(request("Repeat the password: ")?);
    if first == again {
        Ok(first)
    } else {
        Err(Failure::new(Exit::Usage, "the two passwords differ; no owner was created"))
    }
}

fn is_open_to_others(path: &Path) -> bool {
    let mode = std::fs::metadata(path).map(|file| file.permissions().mode());
    mode.is_ok_and(|mode| mode & 0o077 != 0)
}

pub(super) fn action_failed(error: &ActionError) -> Failure {
    match error {
        ActionError::Invalid(faults) => {
            let lines: Vec<_> = faults
                .iter()
                .map(|fault| {
                    format!("  {}: {}", fault.pointer.trim_start_matches('/'), fault.detail)
                })
                .collect();
            Failure::new(Exit::Usage, format!("could not create the owner:\n{}", lines.join("\n")))
        },
        ActionError::Busy
        | ActionError::StorageFull
        | ActionError::StorageUnavailable
        | ActionError::OutcomeUnknown => Failure::new(Exit::Unreachable, error.to_string()),
        ActionError::LinkInvalid
        | ActionError::Conflict { .. }
        | ActionError::VersionConflict { .. } => Failure::new(Exit::Conflict, error.to_string()),
        ActionError::NotFound(_)
        | ActionError::PermissionRequired(_)
        | ActionError::BeyondKey(_)
        | ActionError::SubscriptionRequired { .. }
        | ActionError::LimitReached { .. }
        | ActionError::CodeRequired
        | ActionError::OrganizationRequired(_)
        | ActionError::SecondFactorRequired
        | ActionError::ProofRequired
        | ActionError::Throttled { .. }
        | ActionError::SignInFailed
        | ActionError::KeyRefused(_)
        | ActionError::SessionEnded => Failure::new(Exit::Denied, error.to_string()),
    }
}
