// Lets the page open without a network, and picks up a new deployment when there is one.
// In: what the build deployed, which it writes in place of DEPLOYED; out: two caches, the small
// files' and the large ones' (which the page's worker fills, for it unpacks and checks them first).
// index.html comes from the network at each visit; scripts and styles lie in a folder named by their
// content, so no page is ever put together of two deployments. What only some visitors need is kept
// once it was fetched.

const { build, small, large, later } = DEPLOYED;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

// Other pages of this origin may be Voilearn's too, as those of one owner on GitHub Pages are.
const SCOPE = worker.registration.scope;
const SMALL = `${SCOPE} small ${build}`;
const LARGE = `${SCOPE} large`;
const ours = [...small, ...later];
const PATIENCE = 3000; // milliseconds, on a network that neither answers nor fails

/** @param {string} name */
const inScope = (name) => new URL(name, SCOPE).href;

worker.addEventListener("install", (event) => event.waitUntil(keepSmall()));
worker.addEventListener("activate", (event) => event.waitUntil(dropOld()));
worker.addEventListener("fetch", (event) => {
  const address = event.request.url.split(/[?#]/)[0];
  if (event.request.method !== "GET") return;
  if ([SCOPE, inScope("index.html")].includes(address)) event.respondWith(newest(event.request));
  else if (ours.some((name) => inScope(name) === address)) event.respondWith(kept(event.request));
});

// All of them or none: a page is never put together of two deployments.
async function keepSmall() {
  const cache = await caches.open(SMALL);
  const requests = small.map((name) => new Request(inScope(name), { cache: "no-cache" }));
  await cache.addAll(requests);
  await worker.skipWaiting();
}

async function dropOld() {
  for (const name of await caches.keys()) {
    if (name.startsWith(`${SCOPE} `) && ![SMALL, LARGE].includes(name)) await caches.delete(name);
  }
  const cache = await caches.open(LARGE);
  for (const request of await cache.keys()) {
    if (!large.some((name) => inScope(name) === request.url)) await cache.delete(request);
  }
  await worker.clients.claim();
}

/**
 * The page itself: from the network, so that a new deployment is seen at once; else the kept one.
 * @param {Request} request
 */
async function newest(request) {
  const page = await caches.match(SCOPE, { cacheName: SMALL });
  const asked = fetch(request, { cache: "no-cache" });
  if (!page) return asked;
  const usable = asked.then((answer) => (answer.status < 500 ? answer : page));
  /** @type {Promise<Response>} */
  const late = new Promise((resolve) => setTimeout(() => resolve(page.clone()), PATIENCE));
  return Promise.race([usable.catch(() => page), late]);
}

/**
 * Its parts lie in a folder named by what is in them, so what is kept is right.
 * @param {Request} request
 */
async function kept(request) {
  const cache = await caches.open(SMALL);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetched(request, cache);
}

/** @param {Request} request @param {Cache} cache */
async function fetched(request, cache) {
  const answer = await fetch(request);
  const isLater = later.some((name) => request.url.startsWith(inScope(name)));
  if (answer.ok && isLater) await cache.put(request, answer.clone()).catch(console.error);
  return answer;
}
