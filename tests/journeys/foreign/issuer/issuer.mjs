// An OpenID provider on loopback. Its argument is JSON: the port (0 for any), for each client the
// claims of its tokens, and the address to which the client `pages` leads people back. People sign
// in without a password: as Maya. It prints its address once it listens; its key is new each time.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { port, clients, redirect } = JSON.parse(process.argv[2]);
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { ...pair.privateKey.export({ format: "jwk" }), use: "sig", alg: "ES256" };

const server = createServer();
server.listen(port, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    claims: { openid: ["sub", "accord_role", "email"] },
    clients: [
      ...Object.keys(clients).map((name) => ({
        client_id: name,
        client_secret: "secret",
        grant_types: ["client_credentials"],
        id_token_signed_response_alg: "ES256",
        redirect_uris: [],
        response_types: [],
      })),
      {
        client_id: "pages",
        client_secret: "secret",
        id_token_signed_response_alg: "ES256",
        redirect_uris: [redirect],
      },
    ],
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...clients[id] }) }),
    interactions: { url: (_, interaction) => `/people/${interaction.uid}` },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId,
        accountId: oidc.session.accountId,
      });
      grant.addOIDCScope("openid");
      await grant.save();
      return grant;
    },
    extraTokenClaims: (_, token) => clients[token.clientId],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          audience: resource,
          jwt: { sign: { alg: "ES256" } },
          scope: "accord:read accord:emit",
        }),
      },
    },
    jwks: { keys: [key] },
  });
  const answer = provider.callback();
  server.on("request", (request, response) => {
    if (!request.url.startsWith("/people/")) return answer(request, response);
    return provider.interactionFinished(request, response, { login: { accountId: "maya" } });
  });
  console.log(issuer);
});
