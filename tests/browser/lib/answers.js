/** Answers as a mentor would give them, with all that Markdown has. */

export const WHOLE = {
  analyze: "Sawaal yeh hai ki backend ki shuruaat kahan se ho. Pehle bhasha, phir HTTP, phir database.",
  think: "Backend ek chai ki tapri jaisa hai: order aata hai, kitchen banata hai, cup wapas jaata hai. Request, logic, response.",
  output: `Haanji! Backend ka matlab hai **woh hissa jo dikhta nahi**, par sab kuch chalata hai. ☕

## Teen kadam

1. Ek bhasha pakdo: \`Python\` ya JavaScript.
2. HTTP samjho: *request* aati hai, *response* jaata hai.
3. Ek database jodo.

\`\`\`python
from fastapi import FastAPI

app = FastAPI()

@app.get("/chai")
def chai(cups: int = 1):
    # ek cup, do biscuit
    return {"cups": cups, "biscuits": cups * 2}
\`\`\`

| Kaam | Tool | Samay |
| --- | --- | ---: |
| API | FastAPI | 2 din |
| Data | PostgreSQL | 1 hafta |

> Padhne se zyada banane se seekhoge.

Docs: [FastAPI](https://fastapi.tiangolo.com). Aaj hi \`/chai\` endpoint banao! 🚀`,
};

export const DEVANAGARI = {
  analyze: "सवाल एपीआई के बारे में है।",
  think: "एपीआई एक वेटर जैसा है।",
  output: "एपीआई दो प्रोग्रामों के बीच का **वेटर** है। आप ऑर्डर देते हैं, वह रसोई तक ले जाता है और जवाब लाता है।\n\n- अनुरोध\n- उत्तर",
};

/** Python of many lines, about `words` pieces long. */
export function long(words) {
  const lines = [];
  for (let n = 0; n < words / 8; n += 1) {
    lines.push(n % 6 === 0 ? `\n## Kadam ${n}\n` : `Yeh kadam ${n} hai: chai banao, code likho, phir test karo aur aage badho.`);
    if (n % 9 === 4) lines.push(`\n\`\`\`js\nconst cup = ${n};\nconsole.log("chai", cup);\n\`\`\`\n`);
  }
  return { output: lines.join("\n") };
}
