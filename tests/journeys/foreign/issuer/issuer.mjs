// An OpenID provider on loopback. Its argument is JSON: the port (0 for any), and for each client
// the claims of its tokens. It prints its address once it listens; its key is new at each start.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { port, clients } = JSON.parse(process.argv[2]);
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { ...pair.privateKey.export({ format: "jwk" }), use: "sig", alg: "ES256" };

const server = createServer();
server.listen(port, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: Object.keys(clients).map((name) => ({
      client_id: name,
      client_secret: "secret",
      grant_types: ["client_credentials"],
      id_token_signed_response_alg: "ES256",
      redirect_uris: [],
      response_types: [],
    })),
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
  server.on("request", provider.callback());
  console.log(issuer);
});
