// The JSON interface. Of each list one request is in flight; an older answer is dropped.
const asked = new Map();

export class Refused extends Error {
  constructor(status, why) { super(why); this.status = status; }
}

export const get = async (path, query = {}, list = path) => {
  const words = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ''));
  asked.get(list)?.abort();
  const mine = new AbortController();
  asked.set(list, mine);
  const answer = await fetch(`/api/v1/${path}${words.size ? `?${words}` : ''}`, { signal: mine.signal });
  const said = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, said.error ?? answer.statusText);
  return said;
};
export const isOld = (error) => error.name === 'AbortError';
