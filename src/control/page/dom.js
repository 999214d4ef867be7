// Elements, and lists of them that change only where what they show has. Text goes in as text alone: names are other people's.

export const $ = (id) => document.getElementById(id);

/** An HTML element with text or children. */
export function el(tag, content = "", attributes = {}) {
  return put(filled(document.createElement(tag), [content].flat()), attributes);
}

/** An SVG element. */
export function shape(tag, attributes = {}, ...children) {
  return put(filled(document.createElementNS("http://www.w3.org/2000/svg", tag), children), attributes);
}

function filled(made, children) {
  made.append(...children);
  return made;
}

/** Sets attributes that are other ones: one that is set again is laid out again. */
export function put(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== `${value}`) element.setAttribute(name, value);
  }
  return element;
}

/** Sets a text that is another one. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What lists were made of: by list, and in it by key. */
const lists = new WeakMap();

/**
 * Makes `wanted` the children of `list`, and touches those alone that are new, gone or different: a browser's work is to grow with
 * what has changed. Each is `{ key, says, make, put }`: an element is kept while its key says the same, is made anew by `make(says)`
 * otherwise, and has the attributes `put`.
 */
export function renew(list, wanted) {
  const before = lists.get(list) ?? new Map();
  if (!lists.has(list)) list.replaceChildren();
  const now = new Map();
  for (const item of wanted) {
    const says = item.says.join("\n");
    const old = before.get(item.key);
    const same = old?.says === says;
    now.set(item.key, { says, element: put(same ? old.element : item.make(...item.says), item.put ?? {}) });
  }
  for (const [key, { element }] of before) if (now.get(key)?.element !== element) element.remove();
  let next = list.firstChild;
  for (const { element } of now.values()) {
    if (element === next) next = next.nextSibling;
    else list.insertBefore(element, next);
  }
  lists.set(list, now);
}
