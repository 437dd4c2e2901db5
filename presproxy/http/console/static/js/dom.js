// Elements from descriptions: el('button.button', {type: 'button'}, 'Pause').
// Text is only ever text, and styles are set through the CSSOM.
const SVG = 'http://www.w3.org/2000/svg';

const make = (create) => (what, ...parts) => {
  const [tag, ...classes] = what.split('.');
  const element = create(tag);
  if (classes.length) element.setAttribute('class', classes.join(' '));
  add(element, parts);
  return element;
};

const add = (element, parts) => {
  for (const part of parts.flat(Infinity)) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node) element.append(part);
    else if (typeof part === 'object') describe(element, part);
    else element.append(String(part));
  }
};

const describe = (element, attributes) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [property, set] of Object.entries(value)) element.style.setProperty(property, set);
    else element.setAttribute(name, value === true ? '' : value);
  }
};

export const el = make((tag) => document.createElement(tag));
export const drawn = make((tag) => document.createElementNS(SVG, tag));
