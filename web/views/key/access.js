// What a key may do, from where, and how often.

import { all } from "../../api.js";
import { fill, h } from "../../dom.js";
import { limitFields, limitsFrom } from "../../elements/limit-fields.js";
import { field, group, radios, valueOf } from "../../form.js";
import { problemNotice } from "../../say.js";
import { number, t } from "../../text.js";
import { action, card, change, lines } from "./parts.js";

export function accessCard(page) {
  const { key, rights } = page;
  const edit = (name, label, act) => (rights.change ? action(name, label, () => act(page)) : null);
  const part = (title, button, ...children) =>
    h("div.part", {}, h("div.card-head", {}, h("h3", {}, title), button), children);
  return card(
    t("key.access"),
    null,
    part(t("key.permissions"), edit("permissions", t("key.edit_permissions"), changePermissions), permissions(key)),
    part(t("key.networks"), edit("networks", t("key.edit_networks"), changeNetworks), networks(key.ip_rules)),
    part(t("key.limits"), edit("limits", t("key.edit_limits"), changeLimits), limits(key)),
  );
}

function permissions(key) {
  if (key.permissions === null) return h("p", {}, t("key.follows_owner"));
  if (key.permissions.length === 0) return h("p", {}, t("key.no_permissions"));
  return codes(key.permissions);
}

const codes = (texts) => h("ul.codes", {}, texts.map((text) => h("li", {}, h("code", {}, text))));

function networks({ allow, deny }) {
  if (allow.length === 0 && deny.length === 0) return h("p", {}, t("key.any_network"));
  return [
    allow.length > 0 ? [h("p.small.soft", {}, t("key.allowed")), codes(allow)] : h("p", {}, t("key.any_network_but")),
    deny.length > 0 ? [h("p.small.soft", {}, t("key.denied")), codes(deny)] : null,
  ];
}

function limits({ rate_limits, quota }) {
  if (rate_limits.length === 0 && !quota) return h("p", {}, t("key.no_limits"));
  return h(
    "ul.plain",
    {},
    rate_limits.map(({ name, limit, window_seconds }) =>
      h("li", {}, t("key.rate", { count: limit, seconds: seconds(window_seconds) }), " ", h("code.soft", {}, name)),
    ),
    // key.quota_day, key.quota_week, key.quota_month
    quota ? h("li", {}, t(`key.quota_${quota.period}`, { count: quota.limit, zone: quota.timezone })) : null,
  );
}

/** A span in its own unit: `10 seconds`, `1 hour`. */
function seconds(span) {
  const units = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const [size, unit] = units.find(([size]) => span % size === 0);
  return number(span / size, { style: "unit", unit, unitDisplay: "long" });
}

function changePermissions(page) {
  const { key } = page;
  const isPersonal = key.kind === "personal";
  const value = (key.permissions ?? []).join("\n");
  const text = h("textarea", { name: "permissions", rows: 6, spellcheck: "false", value });
  const list = h("div.stack", {}, field(t("key.pattern_lines"), text, { hint: t("key.pattern_hint") }), catalogue());
  const choices = [
    ["follow", t("key.follow"), t("key.follow_hint")],
    ["list", t("key.own_list"), t("key.own_list_hint")],
  ];
  const chosen = key.permissions === null ? "follow" : "list";
  const how = isPersonal ? group("how", t("key.permissions"), radios("how", choices, chosen, () => show())) : null;
  const follows = () => isPersonal && how.querySelector("input:checked").value === "follow";
  const show = () => (list.hidden = follows());
  show();
  const changes = () => ({ permissions: follows() ? null : lines(text.value) });
  return change(page, t("key.edit_permissions"), changes, how, list);
}

/** The permissions that there are, for whoever wants to look while they write. */
function catalogue() {
  const place = h("div", {});
  const load = async () => {
    try {
      const items = await all("/v1/permissions");
      fill(place, items.length > 0 ? codes(items.map((item) => item.name)) : h("p.soft", {}, t("key.no_catalogue")));
    } catch (problem) {
      if (!problem.members) throw problem;
      fill(place, problemNotice(problem, load));
    }
  };
  const element = h("details", {}, h("summary", {}, t("key.catalogue")), place);
  element.addEventListener("toggle", load, { once: true });
  return element;
}

function changeNetworks(page) {
  const { allow, deny } = page.key.ip_rules;
  const text = (name, networks) => h("textarea", { name, rows: 4, spellcheck: "false", value: networks.join("\n") });
  const changes = (form) => ({
    ip_rules: { allow: lines(valueOf(form, "ip_rules/allow")), deny: lines(valueOf(form, "ip_rules/deny")) },
  });
  return change(
    page,
    t("key.edit_networks"),
    changes,
    field(t("key.allowed"), text("ip_rules/allow", allow), { hint: t("key.allowed_hint") }),
    field(t("key.denied"), text("ip_rules/deny", deny), { hint: t("key.denied_hint") }),
  );
}

function changeLimits(page) {
  const { rate_limits, quota } = page.key;
  return change(page, t("key.edit_limits"), limitsFrom, limitFields(rate_limits, quota));
}
