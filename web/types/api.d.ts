// The types of the API, generated from its description by tests/web/api-types.js.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    Account: {
      /** Format: int64 */
      backup_codes_left: number | null;
      /** Format: date-time */
      created_at: string;
      /** Format: email */
      email: string;
      email_verified: boolean;
      id: string;
      /** @enum {string|null} */
      locale: "en" | "fr" | "es" | null;
      name: string;
      operator: boolean;
      role: string;
      teams: {
        id: string;
        name: string;
        /** @enum {string} */
        visibility: "visible" | "secret";
      }[];
      totp: boolean;
      /** Format: int64 */
      version: number;
    };
    Check: {
      /** Format: int64 */
      cost?: number | null;
      explain?: boolean | null;
      ip?: string | null;
      key: string;
      permissions?: (string[] | string) | null;
    };
    /** @enum {string} */
    CheckCode:
      | "DISABLED"
      | "EXPIRED"
      | "GATE_NOT_FOUND"
      | "INSUFFICIENT_PERMISSIONS"
      | "IP_NOT_ALLOWED"
      | "MALFORMED"
      | "NOT_ACCEPTED_HERE"
      | "NOT_FOUND"
      | "NOT_YET_VALID"
      | "NO_CREDENTIAL"
      | "ORGANIZATION_SUSPENDED"
      | "OWNER_DISABLED"
      | "QUOTA_EXCEEDED"
      | "RATE_LIMITED"
      | "REQUEST_REFUSED"
      | "REVOKED"
      | "ROUTE_NOT_ALLOWED"
      | "SUBSCRIPTION_REQUIRED"
      | "VALID";
    Checked: {
      cut: {
        /** Format: date-time */
        at: string;
        /** Format: int64 */
        number: number;
        retention: string | null;
      } | null;
      /** Format: int64 */
      events: number;
      faults: {
        event?: string;
        kind: string;
        /** Format: int64 */
        seal?: number;
      }[];
      head: components["schemas"]["Head"];
      ok: boolean;
      /** Format: int64 */
      seals: number;
      /** Format: int64 */
      unsealed: number;
    };
    /** @enum {string} */
    ErrorCode:
      | "beyond_key"
      | "body_timeout"
      | "body_too_large"
      | "builtin_role"
      | "busy"
      | "code_required"
      | "cross_site"
      | "domain_taken"
      | "doubled_credential"
      | "doubled_header"
      | "email_taken"
      | "head_too_large"
      | "index_behind"
      | "internal"
      | "invalid_input"
      | "invalid_json"
      | "key_expired"
      | "key_revoked"
      | "last_operator"
      | "last_owner"
      | "link_invalid"
      | "malformed_request"
      | "method_not_allowed"
      | "misdirected_request"
      | "name_taken"
      | "not_found"
      | "not_ready"
      | "not_set_up"
      | "organization_required"
      | "outcome_unknown"
      | "own_account"
      | "own_key"
      | "own_permission"
      | "password_too_short"
      | "permission_required"
      | "proof_required"
      | "removal_under_way"
      | "role_in_use"
      | "seal_key_read_only"
      | "second_factor_required"
      | "session_ended"
      | "session_required"
      | "sign_in_failed"
      | "storage_full"
      | "storage_unavailable"
      | "subscription_limit"
      | "subscription_required"
      | "too_many_attempts"
      | "too_many_changes"
      | "too_many_gates"
      | "too_many_invitations"
      | "too_many_organizations"
      | "too_many_permissions"
      | "too_many_roles"
      | "too_many_seal_keys"
      | "too_many_teams"
      | "totp_already_on"
      | "totp_not_begun"
      | "unsupported_media_type"
      | "version_conflict";
    Event: {
      action: string;
      actor: {
        id: string | null;
        /** @enum {string} */
        kind: "user" | "key" | "local" | "none";
        name: string | null;
      };
      address: string | null;
      after: {
        [key: string]: unknown;
      };
      /** Format: date-time */
      at: string;
      before: {
        [key: string]: unknown;
      };
      id: string;
      organization: string | null;
      target: string | null;
      target_name: string | null;
    };
    Explanation: {
      code: components["schemas"]["CheckCode"];
      detail: string | null;
      rules: {
        code: components["schemas"]["CheckCode"];
        detail: string | null;
        /** @enum {string} */
        outcome: "passed" | "failed" | "not_reached";
        permissions: {
          by: {
            granted: boolean;
            name: string | null;
            pattern: string | null;
            source: string;
          }[];
          granted: boolean;
          permission: string;
        }[];
        source: string;
      }[];
      source: string | null;
      valid: boolean;
    };
    ExportedKey: {
      /** @enum {string} */
      algorithm: "blake3" | "sha256-derived" | "sha256-part-derived";
      /** Format: date-time */
      created_at: string;
      created_by: string;
      created_by_name: string | null;
      description: string;
      digest: string;
      environment: string;
      /** Format: date-time */
      expires_at: string | null;
      has_maximum: boolean;
      hint: string | null;
      id: string;
      ip_rules: components["schemas"]["IpRules"];
      /** @enum {string} */
      kind: "personal" | "service";
      last_used: components["schemas"]["Use"] | null;
      metadata: components["schemas"]["Metadata"];
      name: string;
      /** Format: date-time */
      not_before: string | null;
      /** @enum {string} */
      origin: "created" | "imported" | "applied";
      other_digests: string[];
      owner: string | null;
      owner_name: string | null;
      permissions: string[] | null;
      quota: components["schemas"]["Quota"] | null;
      rate_limits: components["schemas"]["RateLimit"][];
      /** Format: date-time */
      revoked_at: string | null;
      revoked_reason: string | null;
      rotation_advised: boolean;
      secrets: {
        /** Format: date-time */
        created_at: string;
        /** Format: date-time */
        ends_at: string | null;
        hint: string;
        last_used: components["schemas"]["Use"] | null;
      }[];
      /** @enum {string} */
      status: "active" | "disabled" | "not_yet_valid" | "expired" | "revoked";
      teams: {
        /** @enum {string} */
        access: "read" | "write";
        id: string;
        name: string;
        /** @enum {string} */
        visibility: "visible" | "secret";
      }[];
      /** Format: date-time */
      updated_at: string;
      /** Format: int64 */
      version: number;
    };
    Fault: {
      code: string;
      detail: string;
      pointer: string;
      reasons?: string[];
    };
    Features: {
      api_access: boolean;
      multiple_teams: boolean;
      teams: boolean;
    };
    ForeignKey:
      | {
          /** @enum {string} */
          algorithm: "sha256" | "blake3" | "sha256-derived" | "sha256-part-derived";
          /** Format: date-time */
          created_at?: string | null;
          description?: string | null;
          digest: string;
          disabled?: boolean | null;
          environment?: string | null;
          /** Format: date-time */
          expires_at?: string | null;
          head?: string | null;
          hint?: string | null;
          ip_rules?: components["schemas"]["IpRules"] | null;
          /** Format: date-time */
          last_used_at?: string | null;
          metadata?: components["schemas"]["Metadata"] | null;
          name?: string;
          /** Format: date-time */
          not_before?: string | null;
          organization?: string | null;
          owner?: string | null;
          permissions?: string[] | null;
          quota?: components["schemas"]["Quota"] | null;
          rate_limits?: components["schemas"]["RateLimit"][] | null;
        }
      | {
          /** Format: date-time */
          created_at?: string | null;
          description?: string | null;
          disabled?: boolean | null;
          environment?: string | null;
          /** Format: date-time */
          expires_at?: string | null;
          hint?: string | null;
          ip_rules?: components["schemas"]["IpRules"] | null;
          /** Format: foreign-key */
          key: string;
          /** Format: date-time */
          last_used_at?: string | null;
          metadata?: components["schemas"]["Metadata"] | null;
          name?: string;
          /** Format: date-time */
          not_before?: string | null;
          organization?: string | null;
          owner?: string | null;
          permissions?: string[] | null;
          quota?: components["schemas"]["Quota"] | null;
          rate_limits?: components["schemas"]["RateLimit"][] | null;
        };
    Gate: {
      /** Format: int64 */
      cost: number;
      /** Format: date-time */
      created_at: string;
      credentials: string[];
      description: string;
      environments: string[] | null;
      id: string;
      name: string;
      organizations: string[] | null;
      /** @enum {string} */
      preflight: "check" | "allow";
      routes: components["schemas"]["Route"][];
      /** Format: int64 */
      version: number;
    };
    GateTest: {
      allowed: boolean;
      code: string;
      detail: string | null;
      explain: components["schemas"]["Explanation"] | null;
      reason: string | null;
      route: components["schemas"]["Route"] | null;
      /** Format: int64 */
      status: number;
    };
    GateUsage: {
      gate: string;
      items: {
        /** Format: int64 */
        calls: number;
        codes: {
          [key: string]: unknown;
        };
        /** Format: date-time */
        start: string;
      }[];
      totals: {
        /** Format: int64 */
        calls: number;
        codes: {
          [key: string]: unknown;
        };
      };
    };
    Head: {
      /** Format: date-time */
      at: string | null;
      hash: string;
      /** Format: int64 */
      number: number;
    };
    HiddenKey: {
      id: string;
      /** @enum {string} */
      kind: "personal" | "service";
      /** @enum {string} */
      owner_kind: "user" | "organization";
      /** @enum {string} */
      status: "active" | "disabled" | "not_yet_valid" | "expired" | "revoked";
    };
    Holding: {
      key: {
        environment: string;
        /** Format: date-time */
        expires_at: string | null;
        id: string;
        /** @enum {string} */
        kind: "personal" | "service";
        name: string;
      };
      organization: {
        id: string;
        name: string;
        plan: string;
      };
      owner: {
        email: string | null;
        id: string;
        name: string;
        role: string;
      } | null;
      permissions: string[] | null;
      quota: components["schemas"]["QuotaState"] | null;
      rate_limits: components["schemas"]["LimitState"][];
      teams: {
        id: string;
        name: string;
      }[];
    };
    ImportedKey: {
      /** Format: date-time */
      created_at: string;
      created_by: string;
      created_by_name: string | null;
      description: string;
      environment: string;
      /** Format: date-time */
      expires_at: string | null;
      hint: string | null;
      id: string | null;
      ip_rules: components["schemas"]["IpRules"];
      /** @enum {string} */
      kind: "personal" | "service";
      last_used: components["schemas"]["Use"] | null;
      metadata: components["schemas"]["Metadata"];
      name: string;
      /** Format: date-time */
      not_before: string | null;
      /** @enum {string} */
      origin: "created" | "imported" | "applied";
      owner: string | null;
      owner_name: string | null;
      permissions: string[] | null;
      quota: components["schemas"]["Quota"] | null;
      rate_limits: components["schemas"]["RateLimit"][];
      /** Format: date-time */
      revoked_at: string | null;
      revoked_reason: string | null;
      rotation_advised: boolean;
      secrets: {
        /** Format: date-time */
        created_at: string;
        /** Format: date-time */
        ends_at: string | null;
        hint: string;
        last_used: components["schemas"]["Use"] | null;
      }[];
      /** @enum {string} */
      status: "active" | "disabled" | "not_yet_valid" | "expired" | "revoked";
      teams: {
        /** @enum {string} */
        access: "read" | "write";
        id: string;
        name: string;
        /** @enum {string} */
        visibility: "visible" | "secret";
      }[];
      /** Format: date-time */
      updated_at: string;
      /** Format: int64 */
      version: number;
    };
    Invitation: {
      /** Format: date-time */
      created_at: string;
      created_by: string;
      /** Format: email */
      email: string;
      /** Format: date-time */
      expires_at: string;
      id: string;
      name: string | null;
      role: string;
      /** @enum {string} */
      status: "pending" | "expired" | "void";
      teams: string[];
    };
    IpRules: {
      allow?: string[] | null;
      deny?: string[] | null;
    };
    Key: {
      /** Format: date-time */
      created_at: string;
      created_by: string;
      created_by_name: string | null;
      description: string;
      environment: string;
      /** Format: date-time */
      expires_at: string | null;
      hint: string | null;
      id: string;
      ip_rules: components["schemas"]["IpRules"];
      /** @enum {string} */
      kind: "personal" | "service";
      last_used: components["schemas"]["Use"] | null;
      metadata: components["schemas"]["Metadata"];
      name: string;
      /** Format: date-time */
      not_before: string | null;
      /** @enum {string} */
      origin: "created" | "imported" | "applied";
      owner: string | null;
      owner_name: string | null;
      permissions: string[] | null;
      quota: components["schemas"]["Quota"] | null;
      rate_limits: components["schemas"]["RateLimit"][];
      /** Format: date-time */
      revoked_at: string | null;
      revoked_reason: string | null;
      rotation_advised: boolean;
      secrets: {
        /** Format: date-time */
        created_at: string;
        /** Format: date-time */
        ends_at: string | null;
        hint: string;
        last_used: components["schemas"]["Use"] | null;
      }[];
      /** @enum {string} */
      status: "active" | "disabled" | "not_yet_valid" | "expired" | "revoked";
      teams: {
        /** @enum {string} */
        access: "read" | "write";
        id: string;
        name: string;
        /** @enum {string} */
        visibility: "visible" | "secret";
      }[];
      /** Format: date-time */
      updated_at: string;
      /** Format: int64 */
      version: number;
    };
    KeyChange: {
      description?: string | null;
      /** Format: date-time */
      expires_at?: string | null;
      /** Format: span */
      expires_in?: string | null;
      ip_rules?: components["schemas"]["IpRules"] | null;
      metadata?: components["schemas"]["Metadata"] | null;
      name?: string;
      /** Format: date-time */
      not_before?: string | null;
      /** Format: span */
      not_before_in?: string | null;
      permissions?: string[] | null;
      /** @enum {string|null} */
      preset?: "read" | "read-write" | "deploy" | null;
      quota?: components["schemas"]["Quota"] | null;
      rate_limits?: components["schemas"]["RateLimit"][] | null;
    };
    KeyDraft: {
      description?: string | null;
      environment?: string | null;
      /** Format: date-time */
      expires_at?: string | null;
      /** Format: span */
      expires_in?: string | null;
      ip_rules?: components["schemas"]["IpRules"] | null;
      /** @enum {string|null} */
      kind?: "personal" | "service" | null;
      metadata?: components["schemas"]["Metadata"] | null;
      name?: string;
      /** Format: date-time */
      not_before?: string | null;
      /** Format: span */
      not_before_in?: string | null;
      permissions?: string[] | null;
      /** @enum {string|null} */
      preset?: "read" | "read-write" | "deploy" | null;
      quota?: components["schemas"]["Quota"] | null;
      rate_limits?: components["schemas"]["RateLimit"][] | null;
      teams?:
        | {
            /** @enum {string} */
            access: "read" | "write";
            id: string;
          }[]
        | null;
    };
    KeyHours: {
      calls: number[];
      key: string;
      refused: number[];
    };
    Limits: {
      /** Format: int64 */
      keys: number | null;
      /** Format: int64 */
      keys_per_user: number | null;
      /** Format: int64 */
      requests_per_10s: number | null;
      /** Format: int64 */
      requests_per_month: number | null;
      /** Format: int64 */
      users: number | null;
    };
    LimitState: {
      /** Format: int64 */
      limit: number;
      name: string;
      /** Format: int64 */
      remaining: number;
      /** Format: int64 */
      reset_seconds: number;
      /** Format: int64 */
      window_seconds: number;
    };
    Lockout: {
      /** Format: int64 */
      failures: number | null;
      id: string;
      /** @enum {string} */
      kind: "account" | "network";
      network: string | null;
      /** Format: date-time */
      until: string | null;
      user: {
        /** Format: email */
        email: string;
        id: string;
        name: string;
        organization: string;
      } | null;
    };
    Metadata: {
      [key: string]: unknown;
    };
    Notice: {
      /** Format: date-time */
      at: string;
      by: {
        id: string | null;
        /** @enum {string} */
        kind: "user" | "key" | "local";
        name: string | null;
      };
      /** @enum {string} */
      kind: "password_reset" | "totp_removed" | "sessions_ended" | "email_changed";
    };
    OpenSession: {
      address: string | null;
      /** Format: date-time */
      created_at: string;
      /** Format: date-time */
      ends_at: string;
      id: string;
      /** Format: date-time */
      seen_at: string;
      user_agent: string | null;
    };
    Organization: {
      /** Format: date-time */
      created_at: string;
      domains: string[];
      id: string;
      /** Format: int64 */
      key_lifetime_days_max: number | null;
      members_create_keys: boolean;
      name: string;
      permissions: string[];
      plan: string;
      second_factor_required_of: (("operator" | "user" | "guest" | "administrator" | "owner") | string)[];
      suspended: boolean;
      /** Format: int64 */
      version: number;
    };
    Paths: {
      "/v1/audit": {
        get: {
          query: {
            action?: string;
            /** Format: author */
            actor?: string;
            cursor?: string;
            /** Format: int64 */
            limit?: number;
            search?: string;
            /** Format: date-time */
            since?: string;
            target?: string;
            /** Format: date-time */
            until?: string;
          };
          response: {
            items: components["schemas"]["Event"][];
            next_cursor: string | null;
          };
        };
      };
      "/v1/audit/check": {
        post: {
          body: {
            head?: string | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Checked"];
        };
      };
      "/v1/audit/head": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Head"];
        };
      };
      "/v1/backup": {
        get: {
          query: {
            recipient?: string;
          };
          response: unknown;
        };
      };
      "/v1/ext-authz/{gate}/{path}": {
        get: {
          query: Record<string, never>;
          response: unknown;
        };
        head: {
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/forward-auth/{gate}": {
        get: {
          query: Record<string, never>;
          response: unknown;
        };
        head: {
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/gates": {
        get: {
          query: {
            /** Format: name-cursor */
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Gate"][];
            /** Format: name-cursor */
            next_cursor: string | null;
          };
        };
        post: {
          body: {
            /** Format: int64 */
            cost?: number | null;
            credentials?: string[] | null;
            description?: string | null;
            environments?: string[] | null;
            name: string;
            organizations?: string[] | null;
            /** @enum {string|null} */
            preflight?: "check" | "allow" | null;
            routes?:
              | {
                  /** @enum {string|null} */
                  access?: "key" | "public" | "denied" | null;
                  allow?:
                    | (
                        "encoded_slash" | "double_slash" | "utf8" | "trailing_dot" | "compatibility_form" | "semicolon"
                      )[]
                    | null;
                  /** Format: int64 */
                  cost?: number | null;
                  host?: string | null;
                  methods?: string[] | null;
                  path: string;
                  permissions?: (string[] | string) | null;
                }[]
              | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Gate"];
        };
      };
      "/v1/gates/{gate}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Gate"];
        };
        patch: {
          body: {
            /** Format: int64 */
            cost?: number | null;
            credentials?: string[] | null;
            description?: string | null;
            environments?: string[] | null;
            organizations?: string[] | null;
            /** @enum {string|null} */
            preflight?: "check" | "allow" | null;
            routes?:
              | {
                  /** @enum {string|null} */
                  access?: "key" | "public" | "denied" | null;
                  allow?:
                    | (
                        "encoded_slash" | "double_slash" | "utf8" | "trailing_dot" | "compatibility_form" | "semicolon"
                      )[]
                    | null;
                  /** Format: int64 */
                  cost?: number | null;
                  host?: string | null;
                  methods?: string[] | null;
                  path: string;
                  permissions?: (string[] | string) | null;
                }[]
              | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Gate"];
        };
      };
      "/v1/gates/{gate}/test": {
        post: {
          body: {
            ip?: string | null;
            key?: string | null;
            method: string;
            preflight_for?: string | null;
            url: string;
          };
          query: Record<string, never>;
          response: components["schemas"]["GateTest"];
        };
      };
      "/v1/instance": {
        get: {
          query: Record<string, never>;
          response: {
            endpoint_url: string;
            prefix: string;
            pricing_url: string | null;
            public_url: string;
            set_up: boolean;
            support_url: string | null;
            version: string;
          };
        };
      };
      "/v1/instance/probes/{probe}": {
        get: {
          query: Record<string, never>;
          response: {
            arrived: {
              client: string | null;
              forwarded_for: string[];
              host: string | null;
              identity_headers: string[];
              peer: string | null;
              trusted: boolean;
            } | null;
          };
        };
      };
      "/v1/introspect": {
        post: {
          query: Record<string, never>;
          response: {
            active: boolean;
            client_id?: string;
            environment?: string;
            /** Format: int64 */
            exp?: number;
            /** Format: int64 */
            iat?: number;
            iss?: string;
            /** Format: int64 */
            nbf?: number;
            organization?: string;
            scope?: string;
            sub?: string;
            token_type?: string;
            username?: string;
          };
        };
      };
      "/v1/invitations": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Invitation"][];
            next_cursor: string | null;
          };
        };
        post: {
          body: {
            /** Format: email */
            email: string;
            name?: string | null;
            role: ("user" | "guest" | "administrator" | "owner") | string;
            teams?: string[] | null;
          };
          query: Record<string, never>;
          response: {
            invitation: components["schemas"]["Invitation"];
            url: string;
          };
        };
      };
      "/v1/invitations/{invitation}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Invitation"];
        };
      };
      "/v1/invitations/accept": {
        post: {
          body: {
            name?: string | null;
            /** Format: password */
            password: string;
            token: string;
          };
          query: Record<string, never>;
          response: components["schemas"]["Session"] & {
            /** Format: date-time */
            ends_at: string;
          };
        };
      };
      "/v1/keys": {
        get: {
          query: {
            /** Format: key-cursor */
            cursor?: string;
            environment?: string;
            /** @enum {string} */
            expires?: "never";
            /** Format: span */
            expires_within?: string;
            /** @enum {string} */
            kind?: "personal" | "service";
            /** Format: int64 */
            limit?: number;
            /** @enum {string} */
            old_secret?: "used";
            owner?: "me" | string;
            search?: string;
            /** @enum {string} */
            sort?:
              | "-created_at"
              | "created_at"
              | "name"
              | "-name"
              | "last_used"
              | "-last_used"
              | "expires_at"
              | "-expires_at";
            /** @enum {string} */
            status?: "active" | "disabled" | "not_yet_valid" | "expired" | "revoked" | "all";
            team?: "mine" | string;
            /** Format: span */
            unused_for?: string;
            /** @enum {string} */
            used?: "never";
          };
          response: {
            items: (components["schemas"]["Key"] | components["schemas"]["HiddenKey"])[];
            /** Format: key-cursor */
            next_cursor: string | null;
            /** Format: int64 */
            total: number;
            total_is_exceeded: boolean;
          };
        };
        post: {
          body: components["schemas"]["KeyDraft"];
          query: Record<string, never>;
          response: {
            key: components["schemas"]["Key"];
            secret: string;
          };
        };
      };
      "/v1/keys/{key}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Key"];
        };
        patch: {
          body: components["schemas"]["KeyChange"];
          query: Record<string, never>;
          response: components["schemas"]["Key"];
        };
      };
      "/v1/keys/{key}/descendants": {
        get: {
          query: Record<string, never>;
          response: {
            /** Format: int64 */
            count: number;
          };
        };
      };
      "/v1/keys/{key}/disable": {
        post: {
          body: Record<string, never>;
          query: Record<string, never>;
          response: components["schemas"]["Key"];
        };
      };
      "/v1/keys/{key}/enable": {
        post: {
          body: Record<string, never>;
          query: Record<string, never>;
          response: components["schemas"]["Key"];
        };
      };
      "/v1/keys/{key}/explain": {
        post: {
          body: {
            gate?: string | null;
            ip?: string | null;
            permissions?: (string[] | string) | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Explanation"];
        };
      };
      "/v1/keys/{key}/requests": {
        get: {
          query: Record<string, never>;
          response: {
            items: components["schemas"]["RefusedCall"][];
          };
        };
      };
      "/v1/keys/{key}/revoke": {
        post: {
          body: {
            descendants?: boolean | null;
            reason?: string | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Key"] & {
            descendants?: {
              /** Format: int64 */
              left: number;
              more: boolean;
              /** Format: int64 */
              revoked: number;
            };
          };
        };
      };
      "/v1/keys/{key}/rotate": {
        post: {
          body: {
            /** Format: span */
            overlap?: string | null;
          };
          query: Record<string, never>;
          response: {
            key: components["schemas"]["Key"];
            secret: string;
          };
        };
      };
      "/v1/keys/{key}/teams/{team}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        put: {
          body: {
            /** @enum {string} */
            access: "read" | "write";
          };
          query: Record<string, never>;
          response: components["schemas"]["Key"];
        };
      };
      "/v1/keys/export": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["ExportedKey"][];
            next_cursor: string | null;
          };
        };
      };
      "/v1/keys/import": {
        post: {
          body: {
            applied?: boolean | null;
            dry_run?: boolean | null;
            keys: components["schemas"]["ForeignKey"][];
          };
          query: Record<string, never>;
          response:
            | {
                dry_run: boolean;
                /** Format: int64 */
                imported: number;
                keys: components["schemas"]["ImportedKey"][];
              }
            | {
                dry_run: boolean;
                /** Format: int64 */
                imported: number;
                keys: components["schemas"]["ImportedKey"][];
              };
        };
      };
      "/v1/links": {
        post: {
          body: {
            token: string;
          };
          query: Record<string, never>;
          response: {
            created_by: string | null;
            /** Format: email */
            email: string | null;
            /** Format: date-time */
            expires_at: string;
            /** @enum {string} */
            kind: "invitation" | "reset" | "setup";
            name: string | null;
            organization: string | null;
          };
        };
      };
      "/v1/me": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Account"];
        };
        patch: {
          body: {
            code?: string | null;
            /** Format: password */
            current_password?: string | null;
            /** Format: email */
            email?: string | null;
            /** @enum {string|null} */
            locale?: "en" | "fr" | "es" | null;
            name?: string | null;
            /** Format: password */
            password?: string | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Account"];
        };
      };
      "/v1/me/notices": {
        delete: {
          query: {
            /** Format: date-time */
            until?: string;
          };
          response: unknown;
        };
      };
      "/v1/me/totp": {
        delete: {
          body: {
            code: string;
            /** Format: password */
            current_password: string;
          };
          query: Record<string, never>;
          response: unknown;
        };
        post: {
          body:
            | {
                /** Format: password */
                current_password: string;
              }
            | {
                code: string;
              };
          query: Record<string, never>;
          response:
            | {
                backup_codes: string[];
              }
            | {
                modules: string[] | null;
                secret: string;
                url: string;
              };
        };
      };
      "/v1/me/totp/backup-codes": {
        post: {
          body: {
            code: string;
            /** Format: password */
            current_password: string;
          };
          query: Record<string, never>;
          response: {
            backup_codes: string[];
          };
        };
      };
      "/v1/organization": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Organization"];
        };
        patch: {
          body: {
            /** Format: int64 */
            key_lifetime_days_max?: number | null;
            members_create_keys?: boolean | null;
            name?: string | null;
            second_factor_required_of?: (("operator" | "user" | "guest" | "administrator" | "owner") | string)[] | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Organization"];
        };
      };
      "/v1/organizations": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Organization"][];
            next_cursor: string | null;
          };
        };
        post: {
          body: {
            name: string;
            /** Format: email */
            owner_email: string;
            plan?: string | null;
          };
          query: Record<string, never>;
          response: {
            invitation: components["schemas"]["Invitation"];
            organization: components["schemas"]["Organization"];
            url: string;
          };
        };
      };
      "/v1/organizations/{organization}": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Organization"];
        };
        patch: {
          body: {
            domains?: string[] | null;
            name?: string | null;
            permissions?: string[] | null;
            second_factor_required_of?: (("operator" | "user" | "guest" | "administrator" | "owner") | string)[] | null;
            suspended?: boolean | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Organization"];
        };
      };
      "/v1/organizations/{organization}/subscription": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Subscription"];
        };
        patch: {
          body: {
            /** Format: date-time */
            current_period_end?: string | null;
            plan?: string | null;
            /** @enum {string|null} */
            status?: "active" | "trialing" | "past_due" | "canceled" | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Subscription"];
        };
      };
      "/v1/overview": {
        get: {
          query: {
            /** @enum {string} */
            only?: "first_steps";
          };
          response: {
            backup?: {
              /** Format: int64 */
              every_seconds: number;
              /** Format: date-time */
              last_at: string | null;
            };
            first_steps?: {
              colleague_invited?: boolean;
              gate_called: boolean;
              key_created: boolean;
              key_used: boolean;
            };
            users?: {
              /** Format: int64 */
              count: number;
              /** Format: int64 */
              without_second_factor: number;
            };
          };
        };
      };
      "/v1/permissions": {
        get: {
          query: {
            /** Format: name-cursor */
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Permission"][];
            /** Format: name-cursor */
            next_cursor: string | null;
          };
        };
        post: {
          body: {
            description?: {
              en?: string | null;
              es?: string | null;
              fr?: string | null;
            } | null;
            group?: string | null;
            name: string;
          };
          query: Record<string, never>;
          response: components["schemas"]["Permission"];
        };
      };
      "/v1/permissions/{name}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Permission"];
        };
        patch: {
          body: {
            description?: {
              en?: string | null;
              es?: string | null;
              fr?: string | null;
            } | null;
            group?: string | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Permission"];
        };
      };
      "/v1/plans": {
        get: {
          query: {
            /** @enum {string} */
            cursor?: "ZW50ZXJwcmlzZQ" | "ZnJlZQ" | "cHJv";
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Plan"][];
            /** @enum {string|null} */
            next_cursor: "ZW50ZXJwcmlzZQ" | "ZnJlZQ" | "cHJv" | null;
          };
        };
      };
      "/v1/plans/{plan}": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Plan"];
        };
        patch: {
          body: {
            features?: {
              api_access?: boolean | null;
              multiple_teams?: boolean | null;
              teams?: boolean | null;
            } | null;
            limits?: {
              /** Format: int64 */
              keys?: number | null;
              /** Format: int64 */
              keys_per_user?: number | null;
              /** Format: int64 */
              requests_per_10s?: number | null;
              /** Format: int64 */
              requests_per_month?: number | null;
              /** Format: int64 */
              users?: number | null;
            } | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Plan"];
        };
      };
      "/v1/reset": {
        post: {
          body: {
            /** Format: password */
            password: string;
            token: string;
          };
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/roles": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Role"][];
            next_cursor: string | null;
          };
        };
        post: {
          body: {
            description?: string | null;
            name: string;
            permissions: string[];
          };
          query: Record<string, never>;
          response: components["schemas"]["Role"];
        };
      };
      "/v1/roles/{role}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Role"];
        };
        patch: {
          body: {
            description?: string | null;
            name?: string | null;
            permissions?: string[] | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Role"];
        };
      };
      "/v1/seal-key/rotate": {
        post: {
          body: {
            keep_key?: boolean | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["SealKeyRotation"];
        };
      };
      "/v1/session": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Session"];
        };
        post: {
          body: {
            code?: string | null;
            email: string;
            organization?: string | null;
            /** Format: password */
            password: string;
          };
          query: Record<string, never>;
          response: components["schemas"]["Session"] & {
            /** Format: date-time */
            ends_at: string;
          };
        };
      };
      "/v1/session/proof": {
        post: {
          body:
            | {
                /** Format: password */
                password: string;
              }
            | {
                code: string;
              };
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/sessions": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: (components["schemas"]["OpenSession"] & {
              current: boolean;
            })[];
            next_cursor: string | null;
          };
        };
      };
      "/v1/sessions/{session}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/setup": {
        post: {
          body: {
            /** Format: email */
            email: string;
            name?: string | null;
            /** Format: password */
            password: string;
            token: string;
          };
          query: Record<string, never>;
          response: components["schemas"]["Session"] & {
            /** Format: date-time */
            ends_at: string;
          };
        };
      };
      "/v1/sign-in-lockouts": {
        get: {
          query: {
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Lockout"][];
            next_cursor: string | null;
          };
        };
      };
      "/v1/sign-in-lockouts/{lockout}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/subscription": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Subscription"];
        };
      };
      "/v1/teams": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["Team"][];
            next_cursor: string | null;
          };
        };
        post: {
          body: {
            description?: string | null;
            name: string;
            /** @enum {string|null} */
            visibility?: "visible" | "secret" | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Team"];
        };
      };
      "/v1/teams/{team}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Team"];
        };
        patch: {
          body: {
            description?: string | null;
            name?: string | null;
            /** @enum {string|null} */
            visibility?: "visible" | "secret" | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["Team"];
        };
      };
      "/v1/teams/{team}/members": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: {
              /** Format: email */
              email: string;
              id: string;
              name: string;
            }[];
            next_cursor: string | null;
          };
        };
      };
      "/v1/teams/{team}/members/{user}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        put: {
          body: Record<string, never>;
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/usage": {
        get: {
          query: {
            /** Format: date-time */
            from?: string;
            /** @enum {string} */
            interval?: "hour" | "day";
            key?: string;
            /** Format: date-time */
            to?: string;
          };
          response: components["schemas"]["Usage"];
        };
      };
      "/v1/usage/keys": {
        get: {
          query: {
            keys?: string;
          };
          response: {
            /** Format: date-time */
            from: string;
            items: components["schemas"]["KeyHours"][];
            /** Format: date-time */
            to: string;
          };
        };
      };
      "/v1/users": {
        get: {
          query: {
            cursor?: string;
            /** Format: email */
            email?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["User"][];
            next_cursor: string | null;
          };
        };
      };
      "/v1/users/{user}": {
        delete: {
          query: {
            /** @enum {string} */
            keys?: "revoke" | "transfer";
            /** Format: new-owner */
            to?: string;
          };
          response: unknown;
        };
        get: {
          query: Record<string, never>;
          response: components["schemas"]["User"];
        };
        patch: {
          body: {
            disabled?: boolean | null;
            /** Format: email */
            email?: string | null;
            /** @enum {string|null} */
            locale?: "en" | "fr" | "es" | null;
            name?: string | null;
            operator?: boolean | null;
            role?: (("user" | "guest" | "administrator" | "owner") | string) | null;
          };
          query: Record<string, never>;
          response: components["schemas"]["User"];
        };
      };
      "/v1/users/{user}/keys": {
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: (components["schemas"]["Key"] | components["schemas"]["HiddenKey"])[];
            next_cursor: string | null;
          };
        };
      };
      "/v1/users/{user}/reset": {
        post: {
          body: {
            totp?: boolean | null;
          };
          query: Record<string, never>;
          response: {
            /** Format: date-time */
            expires_at: string;
            url: string;
          };
        };
      };
      "/v1/users/{user}/sessions": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
        get: {
          query: {
            cursor?: string;
            /** Format: int64 */
            limit?: number;
          };
          response: {
            items: components["schemas"]["OpenSession"][];
            next_cursor: string | null;
          };
        };
      };
      "/v1/users/{user}/sessions/{session}": {
        delete: {
          query: Record<string, never>;
          response: unknown;
        };
      };
      "/v1/verify": {
        post: {
          body: components["schemas"]["Check"];
          query: Record<string, never>;
          response: components["schemas"]["Verdict"];
        };
      };
      "/v1/verify/batch": {
        post: {
          body: {
            requests: unknown[];
          };
          query: Record<string, never>;
          response: {
            results: (
              | components["schemas"]["Verdict"]
              | {
                  error: {
                    code: string;
                    detail?: string;
                    errors?: components["schemas"]["Fault"][];
                    permission?: string;
                    title: string;
                  };
                }
            )[];
          };
        };
      };
      "/v1/whoami": {
        get: {
          query: Record<string, never>;
          response: components["schemas"]["Holding"];
        };
      };
      "/v1/whoami/revoke": {
        post: {
          body: Record<string, never>;
          query: Record<string, never>;
          response: unknown;
        };
      };
    };
    Permission: {
      description: {
        en: string;
        es: string;
        fr: string;
      };
      group: string;
      name: string;
      own: boolean;
      /** Format: int64 */
      version: number;
    };
    Plan: {
      features: components["schemas"]["Features"];
      id: string;
      limits: components["schemas"]["Limits"];
      /** Format: int64 */
      version: number;
    };
    Problem: {
      code: components["schemas"]["CheckCode"] | components["schemas"]["ErrorCode"];
      /** Format: int64 */
      current_version?: number;
      detail?: string;
      error?: string;
      error_description?: string;
      errors?: components["schemas"]["Fault"][];
      feature?: string;
      limit?: string;
      /** Format: int64 */
      maximum?: number;
      organizations?: {
        id: string;
        name: string;
      }[];
      permission?: string;
      plan?: string;
      pricing_url?: string;
      reason?: string;
      request_id: string;
      /** Format: int64 */
      status: number;
      title: string;
      type: string;
    };
    Quota: {
      /** Format: int64 */
      limit: number;
      /** @enum {string} */
      period: "month" | "week" | "day";
      /** Format: timezone */
      timezone: string;
    };
    QuotaState: {
      /** Format: int64 */
      limit: number;
      /** @enum {string} */
      period: "day" | "week" | "month";
      /** Format: int64 */
      remaining: number;
      /** Format: date-time */
      resets_at: string;
      timezone: string;
      /** Format: int64 */
      used: number;
    };
    RateLimit: {
      /** Format: int64 */
      limit: number;
      name: string;
      /** Format: int64 */
      window_seconds: number;
    };
    RefusedCall: {
      /** Format: date-time */
      at: string;
      code: components["schemas"]["CheckCode"];
      gate: string | null;
      ip: string | null;
    };
    Role: {
      builtin: boolean;
      /** Format: date-time */
      created_at: string | null;
      description: string;
      id: string;
      name: string;
      permissions: string[];
      /** Format: int64 */
      version: number | null;
    };
    Route: {
      /** @enum {string} */
      access: "key" | "public" | "denied";
      allow: ("encoded_slash" | "double_slash" | "utf8" | "trailing_dot" | "compatibility_form" | "semicolon")[];
      /** Format: int64 */
      cost: number | null;
      host: string | null;
      methods: string[] | null;
      path: string;
      permissions: string | null;
    };
    SealKeyRotation: {
      key: string;
      /** Format: int64 */
      seeds: number;
      /** Format: int64 */
      unreadable: number;
    };
    Session: {
      address: string | null;
      notices: components["schemas"]["Notice"][];
      organization: {
        api_access: boolean;
        features: {
          api_access: boolean;
          multiple_teams: boolean;
          teams: boolean;
        };
        id: string;
        /** Format: int64 */
        key_lifetime_days_max: number | null;
        members_create_keys: boolean;
        name: string;
        plan: string;
        subscription_status: string;
      };
      permissions: string[];
      user: {
        /** Format: email */
        email: string;
        email_verified: boolean;
        id: string;
        /** @enum {string|null} */
        locale: "en" | "fr" | "es" | null;
        name: string;
        operator: boolean;
        role: string;
        second_factor_required: boolean;
        teams: {
          id: string;
          name: string;
          /** @enum {string} */
          visibility: "visible" | "secret";
        }[];
        totp: boolean;
      } | null;
    };
    Subscription: {
      access: boolean;
      /** Format: date-time */
      current_period_end: string | null;
      features: components["schemas"]["Features"];
      limits: components["schemas"]["Limits"];
      organization: string;
      plan: string;
      /** @enum {string} */
      status: "active" | "trialing" | "past_due" | "canceled";
      used: {
        /** Format: int64 */
        keys: number;
        /** Format: int64 */
        teams: number;
        /** Format: int64 */
        users: number;
      };
      /** Format: int64 */
      version: number;
    };
    Team: {
      /** Format: date-time */
      created_at: string;
      description: string;
      id: string;
      is_member: boolean;
      name: string;
      /** Format: int64 */
      version: number;
      /** @enum {string} */
      visibility: "visible" | "secret";
    };
    Usage: {
      addresses?: {
        ip: string;
        /** Format: date-time */
        last_used_at: string;
      }[];
      /** Format: date-time */
      from: string;
      gates: components["schemas"]["GateUsage"][];
      /** @enum {string} */
      interval: "hour" | "day";
      items: {
        /** Format: int64 */
        calls: number;
        codes: {
          [key: string]: unknown;
        };
        /** Format: date-time */
        start: string;
      }[];
      keys?: {
        /** Format: int64 */
        calls: number;
        codes: {
          [key: string]: unknown;
        };
        key: string;
        name: string | null;
        /** Format: int64 */
        refused: number;
      }[];
      refused_keys?: {
        /** Format: int64 */
        calls: number;
        codes: {
          [key: string]: unknown;
        };
        key: string;
        name: string | null;
        /** Format: int64 */
        refused: number;
      }[];
      /** Format: date-time */
      to: string;
      totals: {
        /** Format: int64 */
        calls: number;
        codes: {
          [key: string]: unknown;
        };
      };
    };
    Use: {
      /** Format: date-time */
      at: string;
      ip: string | null;
      user_agent: string | null;
    };
    User: {
      /** Format: date-time */
      created_at: string;
      disabled: boolean;
      /** Format: email */
      email: string;
      email_verified: boolean;
      id: string;
      /** @enum {string|null} */
      locale: "en" | "fr" | "es" | null;
      name: string;
      operator: boolean;
      organization: string;
      role: string;
      teams: string[];
      totp: boolean;
      /** Format: int64 */
      version: number;
    };
    Verdict: {
      code: components["schemas"]["CheckCode"];
      explain?: components["schemas"]["Explanation"];
      key?: {
        environment: string;
        /** Format: date-time */
        expires_at: string | null;
        id: string;
        /** @enum {string} */
        kind: "personal" | "service";
        name: string;
      };
      organization?: {
        id: string;
        name: string;
        plan: string;
      };
      owner?: {
        email: string | null;
        id: string;
        name: string;
        role: string;
      } | null;
      permissions?: string[] | null;
      quota?: components["schemas"]["QuotaState"] | null;
      rate_limits?: components["schemas"]["LimitState"][];
      /** Format: int64 */
      retry_after?: number;
      teams?: {
        id: string;
        name: string;
      }[];
      valid: boolean;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type Account = components["schemas"]["Account"];
export type Check = components["schemas"]["Check"];
export type CheckCode = components["schemas"]["CheckCode"];
export type Checked = components["schemas"]["Checked"];
export type ErrorCode = components["schemas"]["ErrorCode"];
export type Event = components["schemas"]["Event"];
export type Explanation = components["schemas"]["Explanation"];
export type ExportedKey = components["schemas"]["ExportedKey"];
export type Fault = components["schemas"]["Fault"];
export type Features = components["schemas"]["Features"];
export type ForeignKey = components["schemas"]["ForeignKey"];
export type Gate = components["schemas"]["Gate"];
export type GateTest = components["schemas"]["GateTest"];
export type GateUsage = components["schemas"]["GateUsage"];
export type Head = components["schemas"]["Head"];
export type HiddenKey = components["schemas"]["HiddenKey"];
export type Holding = components["schemas"]["Holding"];
export type ImportedKey = components["schemas"]["ImportedKey"];
export type Invitation = components["schemas"]["Invitation"];
export type IpRules = components["schemas"]["IpRules"];
export type Key = components["schemas"]["Key"];
export type KeyChange = components["schemas"]["KeyChange"];
export type KeyDraft = components["schemas"]["KeyDraft"];
export type KeyHours = components["schemas"]["KeyHours"];
export type Limits = components["schemas"]["Limits"];
export type LimitState = components["schemas"]["LimitState"];
export type Lockout = components["schemas"]["Lockout"];
export type Metadata = components["schemas"]["Metadata"];
export type Notice = components["schemas"]["Notice"];
export type OpenSession = components["schemas"]["OpenSession"];
export type Organization = components["schemas"]["Organization"];
export type Paths = components["schemas"]["Paths"];
export type Permission = components["schemas"]["Permission"];
export type Plan = components["schemas"]["Plan"];
export type Problem = components["schemas"]["Problem"];
export type Quota = components["schemas"]["Quota"];
export type QuotaState = components["schemas"]["QuotaState"];
export type RateLimit = components["schemas"]["RateLimit"];
export type RefusedCall = components["schemas"]["RefusedCall"];
export type Role = components["schemas"]["Role"];
export type Route = components["schemas"]["Route"];
export type SealKeyRotation = components["schemas"]["SealKeyRotation"];
export type Session = components["schemas"]["Session"];
export type Subscription = components["schemas"]["Subscription"];
export type Team = components["schemas"]["Team"];
export type Usage = components["schemas"]["Usage"];
export type Use = components["schemas"]["Use"];
export type User = components["schemas"]["User"];
export type Verdict = components["schemas"]["Verdict"];
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

export as namespace Api;
