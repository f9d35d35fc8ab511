// The members without a second factor, and the rule that requires one.

import { get, patch } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { allRoles } from "../lib/roles.js";
import { session } from "../lib/state.js";
import { t } from "../lib/text.js";
import { fact, mendButton } from "./parts.js";

/** @param {NonNullable<Page.ResponseOf<"/v1/overview", "get">["users"]>} users */
export async function secondFactors({ count, without_second_factor: without }) {
  if (without === 0) return fact({ state: "good", title: t("overview.factor_none") });
  const title = t("overview.count_factor", { count: without });
  const label = t("overview.show_of", { title });
  const link = h("a.all", { href: "#/people?totp=off", "aria-label": label }, t("overview.show"));
  return fact(
    { state: "warn", title, link },
    h("p.small.soft", {}, t("overview.members", { count })),
    session.user.role === "owner" ? await requirement() : null,
  );
}

/** How an owner requires the second factor. An owner without one would lose access to this page first. */
async function requirement() {
  if (!session.user.totp) return h("p", {}, h("a", { href: "#/profile" }, t("overview.own_factor")));
  const [organization, roles] = await Promise.all([get("/v1/organization"), allRoles()]);
  const before = organization.second_factor_required_of;
  const all = [...new Set(["operator", ...roles.map((role) => role.id), ...before])];
  if (all.length === before.length) return h("p.small", {}, t("overview.required"));
  const save = (/** @type {string[]} */ required) => patch("/v1/organization", { second_factor_required_of: required });
  return mendButton({
    text: t("overview.require"),
    label: t("overview.require"),
    act: async () => {
      await save(all);
      return t("overview.required");
    },
    undo: () => save(before),
  });
}
