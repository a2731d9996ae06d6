// SPDX-License-Identifier: Apache-2.0

extension ChatPage {
    static let script = #"""
        <script>
        "use strict";
        const $ = id => document.getElementById(id);
        let messages = [], models = [], running = null;

        function headers() {
          const key = sessionStorage.getItem("key");
          return { "Content-Type": "application/json", ...(key ? { Authorization: "Bearer " + key } : {}) };
        }

        function lock() {
          sessionStorage.removeItem("key");
          $("unlock").hidden = false;
          $("key").focus();
          status("This daemon asks for an API key.");
        }

        function status(text) { $("status").textContent = text; }

        function show(role, text) {
          const article = document.createElement("article");
          article.className = role;
          article.textContent = text;
          $("log").append(article);
          article.scrollIntoView({ block: "end" });
          return article;
        }

        async function problem(response) {
          try { return (await response.json()).error.message; } catch { return "the daemon answered " + response.status; }
        }

        async function loadModels() {
          const response = await fetch("v1/models", { headers: headers() });
          if (response.status === 401) return lock();
          if (!response.ok) return status(await problem(response));
          models = (await response.json()).data;
          $("model").replaceChildren(...models.map(model => new Option(model.id, model.id)));
          tellModel();
        }

        function chosen() { return models.find(model => model.id === $("model").value); }
        function isChat() { return chosen()?.tandem?.chat !== false; }
        function tellModel() {
          status(isChat() ? "Ready." : "This model has no chat template: it continues your text.");
        }

        function request() {
          const common = { model: $("model").value, temperature: Number($("temperature").value),
            max_tokens: Number($("tokens").value), stream: true, stream_options: { include_usage: true } };
          if (!isChat()) {
            return ["v1/completions", { ...common, prompt: messages.map(message => message.content).join("") }];
          }
          const system = $("system").value.trim();
          const all = (system ? [{ role: "system", content: system }] : []).concat(messages);
          return ["v1/chat/completions", { ...common, messages: all }];
        }

        // Server-sent events, whose data may come in any pieces.
        async function* events(response) {
          const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
          let rest = "";
          for (;;) {
            const { value, done } = await reader.read();
            if (done) return;
            const parts = (rest + value).split("\n\n");
            rest = parts.pop();
            for (const part of parts) {
              if (part.startsWith("data: ")) yield part.slice(6);
            }
          }
        }

        async function answer() {
          const article = show("assistant", "");
          running = new AbortController();
          busy(true);
          const begun = performance.now();
          let first = 0, text = "", usage = null, ended = "";
          try {
            const [path, body] = request();
            const response = await fetch(path, { method: "POST", headers: headers(), body: JSON.stringify(body),
              signal: running.signal });
            if (response.status === 401) { lock(); throw new Error("an API key is needed"); }
            if (!response.ok) throw new Error(await problem(response));
            for await (const data of events(response)) {
              if (data === "[DONE]") break;
              const event = JSON.parse(data);
              if (event.error) throw new Error(event.error.message);
              if (event.usage) usage = event.usage;
              const choice = event.choices[0];
              if (!choice) continue;
              const piece = choice.delta ? choice.delta.content : choice.text;
              if (piece) {
                first ||= performance.now();
                text += piece;
                article.textContent = text;
                article.scrollIntoView({ block: "end" });
              }
              if (choice.finish_reason) ended = choice.finish_reason;
            }
          } catch (error) {
            if (error.name !== "AbortError") {
              if (!text) article.remove();
              show("error", error.message);
              status("");
            } else {
              ended = "stopped";
            }
          }
          if (text) messages.push({ role: "assistant", content: text });
          if (ended) tell(begun, first, usage, ended);
          running = null;
          busy(false);
        }

        function tell(begun, first, usage, ended) {
          const seconds = (performance.now() - begun) / 1000;
          const parts = [ended === "length" ? "The limit of tokens is reached" : ended === "stopped" ? "Stopped" : "Done"];
          if (usage) {
            const after = (performance.now() - (first || begun)) / 1000;
            const rate = usage.completion_tokens > 1 && after > 0 ? (usage.completion_tokens - 1) / after : 0;
            parts.push(usage.completion_tokens + " tokens", rate.toFixed(1) + " tokens/s");
          }
          parts.push(seconds.toFixed(2) + " s");
          status(parts.join(" · "));
        }

        function busy(is) {
          $("send").hidden = is;
          $("stop").hidden = !is;
          $("clear").disabled = is;
          if (is) status("Working…"); else $("text").focus();
        }

        $("ask").addEventListener("submit", event => {
          event.preventDefault();
          const text = $("text").value;
          if (running || !text.trim()) return;
          $("text").value = "";
          messages.push({ role: "user", content: text });
          show("user", text);
          answer();
        });
        $("text").addEventListener("keydown", event => {
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            $("ask").requestSubmit();
          }
        });
        $("stop").addEventListener("click", () => running?.abort());
        $("clear").addEventListener("click", () => { messages = []; $("log").replaceChildren(); tellModel(); });
        $("model").addEventListener("change", tellModel);
        $("unlock").addEventListener("submit", event => {
          event.preventDefault();
          sessionStorage.setItem("key", $("key").value);
          $("key").value = "";
          $("unlock").hidden = true;
          loadModels();
        });
        loadModels().catch(error => status(error.message));
        $("text").focus();
        </script>
        </body>
        </html>

        """#
}
