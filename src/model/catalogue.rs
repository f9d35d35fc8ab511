//! The catalogue of permissions: descriptions of Keyhouse's own permissions, and presets.

use std::fmt;
use std::str::FromStr;

use crate::model::permission::Pattern;
use crate::model::role;

/// The group that shows Keyhouse's own permissions.
pub const OWN_GROUP: &str = "keyhouse";

/// A description of one of Keyhouse's own permissions.
#[derive(Clone, Copy, Debug)]
pub struct OwnPermission {
    pub name: &'static str,
    pub english: &'static str,
    pub french: &'static str,
    pub spanish: &'static str,
}

const fn own(
    name: &'static str,
    english: &'static str,
    french: &'static str,
    spanish: &'static str,
) -> OwnPermission {
    OwnPermission { name, english, french, spanish }
}

/// Descriptions of all of Keyhouse's own permissions.
pub const OWN_CATALOGUE: [OwnPermission; role::OWN_PERMISSIONS.len()] = [
    own(
        role::KEYS_CREATE,
        "Create personal keys",
        "Créer des clés personnelles",
        "Crear claves personales",
    ),
    own(
        role::KEYS_READ,
        "See every key of the organization",
        "Voir toutes les clés de l’organisation",
        "Ver todas las claves de la organización",
    ),
    own(
        role::KEYS_MANAGE,
        "Change every key of the organization and create service keys",
        "Modifier toutes les clés de l’organisation et créer des clés de service",
        "Modificar todas las claves de la organización y crear claves de servicio",
    ),
    own(
        role::KEYS_VERIFY,
        "Check keys of the organization",
        "Vérifier les clés de l’organisation",
        "Verificar las claves de la organización",
    ),
    own(
        role::USERS_READ,
        "See users and invitations",
        "Voir les utilisateurs et les invitations",
        "Ver usuarios e invitaciones",
    ),
    own(
        role::USERS_MANAGE,
        "Invite, change, reset and remove users",
        "Inviter, modifier, réinitialiser et supprimer des utilisateurs",
        "Invitar, modificar, restablecer y eliminar usuarios",
    ),
    own(role::ROLES_READ, "See roles", "Voir les rôles", "Ver los roles"),
    own(
        role::ROLES_MANAGE,
        "Create, change and remove custom roles",
        "Créer, modifier et supprimer des rôles personnalisés",
        "Crear, modificar y eliminar roles personalizados",
    ),
    own(
        role::TEAMS_READ,
        "See every team, including secret teams",
        "Voir toutes les équipes, y compris les équipes secrètes",
        "Ver todos los equipos, incluidos los equipos secretos",
    ),
    own(
        role::TEAMS_MANAGE,
        "Create, change and remove teams, and share keys with any team",
        "Créer, modifier et supprimer des équipes, et partager des clés avec toute équipe",
        "Crear, modificar y eliminar equipos, y compartir claves con cualquier equipo",
    ),
    own(
        role::ORGANIZATION_READ,
        "See the organization’s settings",
        "Voir les réglages de l’organisation",
        "Ver los ajustes de la organización",
    ),
    own(
        role::ORGANIZATION_MANAGE,
        "Change the organization’s settings",
        "Modifier les réglages de l’organisation",
        "Modificar los ajustes de la organización",
    ),
    own(
        role::SUBSCRIPTION_READ,
        "See plan and subscription",
        "Voir l’offre et l’abonnement",
        "Ver el plan y la suscripción",
    ),
    own(
        role::SUBSCRIPTION_MANAGE,
        "Reserved: only operators change subscriptions",
        "Réservé : seuls les opérateurs modifient les abonnements",
        "Reservado: solo los operadores modifican las suscripciones",
    ),
    own(
        role::AUDIT_READ,
        "Read the audit log",
        "Lire le journal d’audit",
        "Leer el registro de auditoría",
    ),
    own(
        role::AUDIT_MANAGE,
        "Reserved: the audit log cannot be changed",
        "Réservé : le journal d’audit ne peut pas être modifié",
        "Reservado: el registro de auditoría no se puede modificar",
    ),
    own(
        role::USAGE_READ,
        "See the usage of keys",
        "Voir l’utilisation des clés",
        "Ver el uso de las claves",
    ),
    own(
        role::USAGE_MANAGE,
        "Reserved: usage cannot be changed",
        "Réservé : l’utilisation ne peut pas être modifiée",
        "Reservado: el uso no se puede modificar",
    ),
    own(
        role::INSTANCE_MANAGE,
        "Manage the instance: organizations, plans, subscriptions and this catalogue (operators only)",
        "Gérer l’instance : organisations, offres, abonnements et ce catalogue (opérateurs seulement)",
        "Gestionar la instancia: organizaciones, planes, suscripciones y este catálogo (solo operadores)",
    ),
    own(
        role::INSTANCE_VERIFY,
        "Check keys of every organization (operators only)",
        "Vérifier les clés de toutes les organisations (opérateurs seulement)",
        "Verificar las claves de todas las organizaciones (solo operadores)",
    ),
    own(
        role::INSTANCE_IMPORT,
        "Import keys from other systems (operators only)",
        "Importer des clés d’autres systèmes (opérateurs seulement)",
        "Importar claves de otros sistemas (solo operadores)",
    ),
];

/// A choice of permissions by their action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    Read,
    /// All permissions that read or write.
    ReadWrite,
    /// All permissions that read, deploy, publish or release: for a deployment pipeline.
    Deploy,
}

/// The text is not the name of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {}", Preset::ALL.map(|(_, name)| name).join(", "))]
pub struct InvalidPreset;

impl Preset {
    /// All presets, each with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Read, "read"), (Self::ReadWrite, "read-write"), (Self::Deploy, "deploy")];

    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["read"],
            Self::ReadWrite => &["read", "write"],
            Self::Deploy => &["read", "deploy", "publish", "release"],
        }
    }

    /// The patterns of the preset: `*:ACTION` for each of its actions, then each of `names`, the
    /// permissions in the catalogue, that has such an action.
    pub fn patterns<'a>(self, names: impl Iterator<Item = &'a str>) -> Vec<Pattern> {
        let action_of = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
        let entries = names.filter(|name| self.actions().contains(&action_of(name).as_str()));
        let entries: Vec<&str> = entries.collect();
        let patterns = self.actions().iter().map(|action| format!("*:{action}"));
        patterns
            .chain(entries.into_iter().map(str::to_owned))
            .filter_map(|text| text.parse().ok())
            .collect()
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.into_iter().find(|(preset, _)| preset == self);
        f.write_str(known.map_or("", |(_, name)| name))
    }
}

impl FromStr for Preset {
    type Err = InvalidPreset;

    fn from_str(text: &str) -> Result<Self, InvalidPreset> {
        let known = Self::ALL.into_iter().find(|(_, name)| *name == text);
        known.map(|(preset, _)| preset).ok_or(InvalidPreset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_own_permission_is_described_in_three_languages() {
        for name in role::OWN_PERMISSIONS {
            let found: Vec<_> = OWN_CATALOGUE.iter().filter(|entry| entry.name == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            let entry = found[0];
            for text in [entry.english, entry.french, entry.spanish] {
                assert!(!text.trim().is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn presets_choose_entries_by_their_action() {
        let names =
            ["a:read", "a:b:read", "a:write", "a:delete", "read:all", "a:readonly", "b:deploy"];
        for (preset, chosen) in [
            ("read", "*:read a:read a:b:read"),
            ("read-write", "*:read *:write a:read a:b:read a:write"),
            ("deploy", "*:read *:deploy *:publish *:release a:read a:b:read b:deploy"),
        ] {
            let name = preset;
            let preset: Preset = name.parse().unwrap();
            assert_eq!(preset.to_string(), name);
            let patterns = preset.patterns(names.into_iter());
            let texts: Vec<_> = patterns.iter().map(Pattern::as_str).collect();
            assert_eq!(texts.join(" "), chosen, "{preset}");
        }
        let error = "readwrite".parse::<Preset>().unwrap_err();
        assert_eq!(error.to_string(), "must be one of: read, read-write, deploy");
    }
}
