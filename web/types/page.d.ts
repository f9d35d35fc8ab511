// The types of the page's own scripts. They are checked and not served.

import type { Features, Gate, Key, Organization, Paths, Permission, Role, Session, Team } from "./api";

/** What `h` takes as a child. */
export type Child = Node | string | number | boolean | null | undefined | readonly Child[];

/** A listener that may name a more special event, such as one of a control. */
type Listener<E> = { listen(event: E): unknown }["listen"];
type Handlers = {
  [Name in keyof GlobalEventHandlersEventMap as `on${Name}`]?: Listener<GlobalEventHandlersEventMap[Name]> | null;
};
/** Attributes, properties and listeners of an element. */
export type Properties = Handlers & { [name: string]: unknown };

/** The element of a tag such as `button.primary`. */
export type ElementOf<Tag extends string> = Tag extends `${infer Name}.${string}`
  ? ElementOf<Name>
  : Tag extends keyof HTMLElementTagNameMap
    ? HTMLElementTagNameMap[Tag]
    : HTMLElement;

/** An event of a control of a form. */
export type ControlEvent = Event & { target: HTMLInputElement };
export type Language = "en" | "fr" | "es";

export type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
/** `[value, label, hint?]` */
export type Choice = readonly (string | undefined)[];

/** A path of the API as scripts write it: a text in the place of each parameter. */
type Written<P extends string> = P extends `${infer Start}{${string}}${infer End}` ? `${Start}${string}${Written<End>}` : P;
type Same<A extends string, B extends string> = [A, B] extends [B, A] ? true : false;
type Method = "get" | "post" | "put" | "patch" | "delete";

/** The described path of a written one; `never` if the API has no such path. */
type Described<P extends string> = {
  [D in keyof Paths]: Same<P, Written<D>> extends true ? D : never;
}[keyof Paths];
type Operation<P extends string, M extends Method> = Described<P> extends infer D
  ? D extends keyof Paths
    ? M extends keyof Paths[D]
      ? Paths[D][M]
      : never
    : never
  : never;
type With<M extends Method> = {
  [D in keyof Paths]: M extends keyof Paths[D] ? Written<D> : never;
}[keyof Paths];

/** The paths that have a method, with a text in the place of each parameter. */
export type PathWith<M extends Method> = With<M>;
export type ResponseOf<P extends string, M extends Method> =
  Operation<P, M> extends { response: infer Response } ? Response : never;
/** The names of the query are checked. Empty values are left out of the request. */
export type QueryOf<P extends string, M extends Method> =
  Operation<P, M> extends { query: infer Query } ? { [Name in keyof Query]?: unknown } : never;
/** The names of the body are checked. The server checks the values, which users type. */
export type BodyOf<P extends string, M extends Method> =
  Operation<P, M> extends { body: infer Body } ? { [Name in keyof Body]?: unknown } : Record<string, never>;
/** What a list of the API lists. */
export type ItemOf<P extends string> = ResponseOf<P, "get"> extends { items: readonly (infer Item)[] } ? Item : never;

/** A page of a list. The list of keys counts the keys of all pages. */
export type ListPage<P extends string> = {
  items: ItemOf<P>[];
  next_cursor: string | null;
} & (P extends "/v1/keys" ? { total: number; total_is_exceeded: boolean } : unknown);

export type Instance = Paths["/v1/instance"]["get"]["response"];

/** A fault of the input. `item` is the faulty item of a list. */
export type Fault = { pointer: string; code: string; detail: string; item?: string; reasons?: string[]; [name: string]: unknown };
/** The members of a problem of the API. */
export type Members = { code: string; detail?: string; errors?: Fault[]; retryAfter?: number; [name: string]: any };

/** A view: its title, what stands beside it, the buttons at the end of its line, and its content. A dead end shows its
 * own link to continue. `shown` runs when the view is on the page. `follow` shows the part of the view that another
 * query of its address names; without it, the view is loaded again. */
export type View = {
  title: string;
  beside?: Child;
  actions?: Child;
  body: HTMLElement;
  isDeadEnd?: boolean;
  shown?: () => unknown;
  follow?: (query: URLSearchParams) => unknown;
};
/** The arguments of a view. */
export type Address = { params: string[]; query: URLSearchParams; redraw: () => Promise<void> };
export type Redraw = () => unknown;
/** A session of a user, not of a key. */
export type SignedIn = Session & { user: NonNullable<Session["user"]> };

/** What a confirmation shows. */
export type Confirmation = { title: string; body: Child; button: string; done?: string; safe?: boolean };

/** The actions on a key that the user sees. */
export type Rights = { label: boolean; change: boolean; rotate: boolean; isOwn: boolean };
/** What the parts of the page of a key share. */
export type KeyPage = {
  key: Key;
  teams: Team[];
  rights: Rights;
  /** The address of a tab. */
  addressOf(tab: string): string;
  update(changed: Key): void;
  reload(): Promise<void>;
};
/** The panel of a tab. `draw` shows the changed key. */
export type KeyPanel = { element: HTMLElement; draw?: () => unknown };
export type KeyTeam = Key["teams"][number];
export type KeySecret = Key["secrets"][number];
export type Networks = { allow: string[]; deny: string[] };

/** What the parts of the page of a gate share. */
export type GatePage = { path: `/v1/gates/${string}`; gate: Gate; organizations: Organization[]; redraw: Redraw };
/** The settings that the built-in gate has too. */
export type GateSettings = Pick<
  Gate,
  "name" | "credentials" | "organizations" | "environments" | "preflight" | "routes"
>;
export type Proxy = { label: string; repeats?: boolean; strip: (headers: string[]) => string[] };

/** The calls of an hour or a day. */
export type Bucket = { start: Date; calls: number; codes: Record<string, number> };
export type Chart = {
  buckets: Bucket[];
  codes: string[];
  interval: "hour" | "day";
  label: string;
  looks: number[];
  nameOf: (code: string) => string;
};
export type Scale = {
  x: number;
  step: number;
  y: (value: number) => number;
  codes: string[];
  ids: string[];
  interval: "hour" | "day";
  nameOf: (code: string) => string;
};

/** What the parts of the lists of people share. */
export type PeopleContext = { roles: Role[]; teams: Team[] };
export type FeatureName = keyof Features;
export type Resource = { resource: string; group: string; entries: Permission[] };

declare global {
  /** Scripts look only for elements that they drew: `null` and the kind of element are not checked. */
  interface ParentNode {
    querySelector(selectors: string): any;
    querySelectorAll(selectors: string): NodeListOf<HTMLInputElement>;
  }
  interface Element {
    closest(selectors: string): any;
  }
  interface HTMLFormControlsCollection {
    namedItem(name: string): any;
  }
}

export as namespace Page;
