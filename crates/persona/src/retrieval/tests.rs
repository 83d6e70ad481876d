use crate::{Persona, PromptSize};

/// Question, then the notes of which the first that is picked has to be one; none: it has to be silent.
const LABELLED: &[(&str, &[&str])] = &[
    ("Sir mujhe backend development kaise start karna hai?", &["backend-start"]),
    ("LangGraph kya hota hai?", &["langgraph"]),
    ("Docker vs VM difference batao", &["docker-vs-vm"]),
    ("mujhe tutorial hell se kaise niklu", &["tutorial-hell"]),
    ("tutorial hell se kese niklu bhaiya", &["tutorial-hell"]),
    ("write factorial in Python", &["recursion", "python-basics"]),
    ("what is an API?", &["what-is-an-api"]),
    ("api kya hoti h", &["what-is-an-api"]),
    ("docker kya hai", &["docker"]),
    ("doker kaise sikhe", &["docker"]),
    ("dcoker image kaise banaye", &["docker"]),
    ("डॉकर क्या है?", &["docker"]),
    ("बैकएंड कैसे शुरू करें", &["backend-start"]),
    ("FastAPI mein pehla endpoint kaise banau?", &["fastapi"]),
    ("fast api vs express", &["fastapi", "express"]),
    ("How does RAG work, and when should I use it?", &["rag"]),
    ("mongodb ka schema kaise design karu", &["mongodb"]),
    ("mango db connect nahi ho raha", &["mongodb"]),
    ("JWT authentication kaise lagaye express mein", &["auth-jwt"]),
    ("refresh token kyu chahiye", &["auth-jwt"]),
    ("app ko render pe deploy kaise karu", &["render-railway", "deployment"]),
    ("website deployement kaise hota hai", &["deployment"]),
    ("git merge conflict aa gaya kya karu", &["merge-conflicts"]),
    ("pull reqest kaise banate hai", &["git"]),
    ("langchain use karna chahiye ya nahi", &["langchain"]),
    ("lang chain mein agent kaise banate hai", &["langchain"]),
    ("n8n se whatsapp automation ho sakta hai?", &["n8n", "automation"]),
    ("main mechanical se hu, IT mein career switch kaise karu", &["career-switch", "non-it-switch"]),
    ("internship nahi mil rahi", &["internships"]),
    ("2nd year mein intership kaise milegi", &["internships"]),
    ("youtube channel shuru karna hai", &["youtube-creator"]),
    ("youtuber kaise bane", &["youtube-creator"]),
    ("DSA kitna zaruri hai placement ke liye", &["dsa-how-much"]),
    ("interview mein bahut ghabrahat hoti hai", &["interview-nervousness"]),
    ("resume mein kya likhu fresher hu", &["resume"]),
    ("CORS error aa raha hai react app mein", &["cors"]),
    ("async await samajh nahi aata", &["javascript-async"]),
    ("react hooks samjhao", &["react-hooks"]),
    ("raect kaise seekhe", &["react"]),
    ("nodejs single threaded hai to fast kaise", &["nodejs"]),
    ("node.js kya hai", &["nodejs"]),
    ("postgres ya mysql kaunsa seekhu", &["sql-and-postgres"]),
    ("sql joins explain karo", &["sql-joins"]),
    ("redis se caching kaise kare", &["redis-caching"]),
    ("system design interview ki taiyari", &["system-design", "interview-nervousness"]),
    ("unit testing kaise likhte hai pytest se", &["testing"]),
    ("linux comands kaunse aane chahiye", &["linux-bash"]),
    ("laptop par ollama chala sakte hai kya", &["local-llms"]),
    ("typescript seekhna zaroori hai?", &["typescript"]),
    ("tipescript vs javascript", &["typescript"]),
    ("recursion samajh nahi aa raha", &["recursion"]),
    ("flask aur django mein kya farak hai", &["flask-or-django"]),
    ("kaunsa project banau resume ke liye", &["project-ideas", "resume"]),
    ("thak gaya hu coding karke, mann nahi lagta", &["consistency-burnout", "burnout"]),
    ("code nahi chal raha, bug kaise dhundu", &["debugging"]),
    ("coding kahan se shuru karu, roadmap do", &["learning-roadmap"]),
    ("express middleware kya hota hai", &["express"]),
    ("rest api mein put aur patch ka antar", &["rest-api"]),
    ("pyton kaise seekhu", &["python-basics"]),
    // Nothing of these is in the handbook.
    ("mujhe kaise kare", &[]),
    ("aaj mausam kaisa hai", &[]),
    ("IPL kaun jeeta", &[]),
    ("virat kohli ka score kya hai", &[]),
    ("paneer butter masala kaise banate hai", &[]),
    ("chai kaise banaye", &[]),
    ("mumbai se goa train kitne baje hai", &[]),
    ("meri girlfriend mujhse baat nahi karti", &[]),
    ("who is the prime minister of India?", &[]),
    ("best horror movie batao", &[]),
    ("hello sir kaise ho aap", &[]),
    ("ek joke sunao", &[]),
    ("share market mein paisa lagana chahiye?", &[]),
    ("weight loss ke liye diet plan", &[]),
    ("मौसम कैसा है आज", &[]),
    ("how to reach Delhi airport", &[]),
    ("dhaba par khana order karna hai", &[]),
    ("gaana sunao koi", &[]),
    ("", &[]),
    ("???", &[]),
];

fn first(persona: &Persona, question: &str, previous: Option<&str>) -> Option<String> {
    persona.select_notes(question, previous, PromptSize::Full).into_iter().next()
}

#[test]
fn labelled_questions_find_their_note() {
    let persona = Persona::builtin("hitesh").unwrap();
    let ids: Vec<_> = persona.note_ids().collect();
    for (_, labels) in LABELLED {
        assert!(labels.iter().all(|label| ids.contains(label)), "a label names no note: {labels:?}");
    }
    let wrong = wrong(&persona, LABELLED);
    assert!(wrong.is_empty(), "{} of {} wrong: {wrong:#?}", wrong.len(), LABELLED.len());
}

#[test]
fn two_subjects_find_two_notes() {
    let persona = Persona::builtin("hitesh").unwrap();
    let mut found = persona.select_notes("docker mein mongodb kaise chalau", None, PromptSize::Full);
    found.sort_unstable();
    assert_eq!(found, ["docker", "mongodb"]);
    assert_eq!(persona.select_notes("docker mein mongodb kaise chalau", None, PromptSize::Compact).len(), 1);
}

#[test]
fn a_follow_up_leans_on_the_question_before() {
    let persona = Persona::builtin("hitesh").unwrap();
    let cases = [
        ("aur iska code?", "fastapi kya hai", Some("fastapi")),
        ("thoda detail mein batao", "docker kya hai", Some("docker")),
        ("ek example do", "rag kya hai", Some("rag")),
        ("how does it work?", "what is redis", Some("redis-caching")),
        ("redis kya hai", "docker kya hai", Some("redis-caching")),
        ("IPL kaun jeeta", "docker kya hai", None),
        ("aur batao", "IPL kaun jeeta", None),
    ];
    for (question, previous, expected) in cases {
        assert_eq!(first(&persona, question, Some(previous)).as_deref(), expected, "{previous} → {question}");
    }
    let both = persona.select_notes("isme mongodb kaise connect karu", Some("express kya hai"), PromptSize::Full);
    assert_eq!(both, ["mongodb", "express"]);
}

#[test]
fn no_question_is_too_strange() {
    let persona = Persona::builtin("hitesh").unwrap();
    for question in ["🍵🍵", "\u{94d}\u{93c}", "a\u{301}\u{301}", "ﷺ", &"docker ".repeat(400), &"x".repeat(2000)]
    {
        persona.select_notes(question, Some(question), PromptSize::Full);
    }
}

/// 58 of 64 when it was first measured; the faults were mended since, so it is no longer unseen.
const SEEN_ONCE: &[(&str, &[&str])] = &[
    ("sir backend sikhne ka sahi order kya hai", &["backend-start", "learning-roadmap"]),
    ("bhaiya auth kaise lagau apne project me", &["auth-jwt"]),
    ("token expire ho jata hai baar baar, refresh kaise karu", &["auth-jwt"]),
    ("containers aur virtual machines mein kya antar hai", &["docker-vs-vm"]),
    ("dockerfile likhna nahi aata", &["docker"]),
    ("git push reject ho raha hai", &["git"]),
    ("galat branch pe commit kar diya", &["git"]),
    ("phastapi ya jango", &["fastapi", "flask-or-django"]),
    ("pydantic kis kaam aata hai", &["fastapi"]),
    ("mujhe AI agent banana hai kahan se start karu", &["ai-agents"]),
    ("pdf se baat karne wala chatbot banana hai", &["rag"]),
    ("embedings kya hote hai", &["embeddings-vector-db"]),
    ("बिना कोड के ऑटोमेशन कैसे करूं", &["n8n", "automation"]),
    ("telegram bot banana hai bina code ke", &["whatsapp-telegram-bots", "n8n"]),
    ("meri umar 32 hai, kya main developer ban sakta hu", &["age-and-tech"]),
    ("BPO job chhod ke coding karni hai", &["career-switch"]),
    ("internship ke liye cold mail kaise likhu", &["internships"]),
    ("videos dekhta rehta hu par khud se kuch nahi banta", &["tutorial-hell"]),
    ("blank screen dekh ke dimag band ho jata hai", &["tutorial-hell"]),
    ("apna yt channel kholna hai tech ka", &["youtube-creator"]),
    ("camera ke samne sharam aati hai", &["youtube-creator"]),
    ("leetcode kitne questions karu", &["dsa-how-much"]),
    ("interviewer ke saamne blank ho jata hu", &["interview-nervousness"]),
    ("mera CV shortlist nahi ho raha", &["resume"]),
    ("preflight request kyu jaati hai", &["cors"]),
    ("blocked by CORS policy ka error", &["cors"]),
    ("promise aur callback mein farq", &["javascript-async"]),
    ("useEffect do baar kyu chalta hai", &["react", "react-hooks"]),
    ("event loop samjhao na", &["nodejs"]),
    ("table join karne mein dikkat hai", &["sql-joins"]),
    ("noSQL kab use kare", &["mongodb"]),
    ("cache invalidate kaise karte hai", &["redis-caching"]),
    ("load balencer kya hota hai", &["scaling"]),
    ("microservices karu ya monolith", &["microservices-vs-monolith"]),
    ("test cases likhna kyu zaroori hai", &["testing"]),
    ("ubuntu install karu ya wsl", &["linux-bash"]),
    ("apne PC par LLM chala sakta hu kya", &["local-llms"]),
    ("generics kya hote hai typescript mein", &["typescript"]),
    ("fibonaci series ka code", &["recursion"]),
    ("HTTP status code 404 aur 500 mein difference", &["rest-api"]),
    ("burn out ho gaya hu", &["burnout"]),
    ("final year ke liye project suggest karo", &["project-ideas"]),
    ("vercel pe host karna hai", &["deployment"]),
    ("python seekhne ke baad kya karu", &["python-basics"]),
    ("traceback kaise padhte hai", &["debugging"]),
    ("How do I deploy my Express app?", &["deployment", "express"]),
    ("I keep failing interviews, what should I do?", &["interview-nervousness"]),
    ("Can I learn web development at 40?", &["learning-roadmap", "career-switch", "backend-start", "age-and-tech"]),
    ("biryani ki recipe do", &[]),
    ("kal chhutti hai kya", &[]),
    ("petrol ka rate kya chal raha hai", &[]),
    ("modi ji ki age kya hai", &[]),
    ("who won the world cup in 2011", &[]),
    ("mujhe neend nahi aati raat ko", &[]),
    ("shaadi ke liye ladki kaise dhundhe", &[]),
    ("aapka favourite gaana kaunsa hai", &[]),
    ("train ticket cancel kaise kare", &[]),
    ("tell me a story about a king", &[]),
    ("bitcoin kharidu ya nahi", &[]),
    ("gym jaana kab se shuru karu", &[]),
    ("translate good morning to French", &[]),
    ("salman khan ki nayi film kaisi hai", &[]),
    ("electricity bill kaise bhare online", &[]),
    ("capital of Australia", &[]),
];

/// Measured once, when all else was done, and not tuned on since; where a specialised note came to be the better
/// answer, the label says so. Keep it so: mend what it shows with questions of your own.
const UNSEEN: &[(&str, &[&str])] = &[
    ("REST aur GraphQL mein kya behtar hai", &["graphql", "rest-api"]),
    ("mujhe terminal se dar lagta hai", &["linux-bash"]),
    ("docker container ke andar database rakhu kya", &["docker", "sql-and-postgres"]),
    ("jwt token localstorage me rakhna safe hai?", &["sessions-vs-tokens", "auth-jwt"]),
    ("mongoose schema validation", &["mongodb"]),
    ("langgraf mein state kya hoti hai", &["langgraph"]),
    ("webhook kya cheez hai", &["n8n"]),
    ("kya arts wale coding mein career bana sakte hai", &["non-it-switch", "career-switch"]),
    ("fresher ko resume mein projects kaise likhne chahiye", &["resume", "project-ideas"]),
    ("motivation nahi rehta do din baad", &["consistency-burnout"]),
    ("aise projects batao jo portfolio mein ache lage", &["project-ideas"]),
    ("railway pe backend deploy nahi ho raha", &["render-railway", "deployment"]),
    ("git rebase ya merge", &["rebase-vs-merge"]),
    ("redis ka use case batao", &["redis-caching"]),
    ("रिएक्ट हुक्स समझाओ", &["react-hooks", "react"]),
    ("पाइथन कैसे सीखें", &["python-basics"]),
    ("इंटरव्यू से डर लगता है", &["interview-nervousness"]),
    ("how do I get my first internship?", &["internships"]),
    ("explain promises in javascript", &["javascript-async"]),
    ("which is better for beginners, Flask or Django?", &["flask-or-django"]),
    ("virtual environment kyu banate hai python me", &["python-basics"]),
    ("scalling kaise karte hai jab users badh jaye", &["scaling"]),
    ("pytest fixture", &["testing"]),
    ("mere code me bug nahi mil raha", &["debugging"]),
    ("aaj dinner mein kya banau", &[]),
    ("mera phone hang ho raha hai", &[]),
    ("rajasthan ghumne kab jaye", &[]),
    ("who wrote Hamlet", &[]),
    ("exam mein fail ho gaya, ghar wale gussa hai", &[]),
    ("kutte ka naam kya rakhu", &[]),
    ("cricket ka bat kaunsa lu", &[]),
    ("what is the weather in Jaipur", &[]),
];

/// Over the specialised notes; what it showed was mended.
const SPECIALISED: &[(&str, &[&str])] = &[
    ("docker compose se do container kese chalau", &["docker-compose"]),
    ("docker-compose.yml mein postgres kaise jodu", &["docker-compose"]),
    ("kubernetis kab seekhna chahiye", &["kubernetes"]),
    ("kubernetes vs docker", &["kubernetes", "docker"]),
    ("jenkins ya github actions", &["ci-cd"]),
    ("nginx reverse proxy kaise lagaye", &["nginx"]),
    ("domain kharida hai, website se kaise jodu", &["dns"]),
    ("HTTPS kaise enable karu apni site pe", &["https-tls"]),
    ("graphql seekhna chahiye kya", &["graphql"]),
    ("kafka aur rabbitmq mein antar", &["queues-kafka-rabbitmq"]),
    ("websoket se chat app banana hai", &["websockets-sse"]),
    ("google login kaise lagaye oauth se", &["oauth"]),
    ("password ko database me kaise store kare", &["password-hashing"]),
    ("api ko secure kaise karein", &["api-security"]),
    ("rate limiting kaise lagau express me", &["rate-limiting", "express"]),
    ("429 too many requests aa raha hai", &["rate-limiting"]),
    ("sql injection se kaise bachu", &["sql-injection"]),
    ("query bahut slow hai index lagau kya", &["sql-indexes"]),
    ("left join aur inner join mein farak", &["sql-joins"]),
    ("N+1 query problem kya hai", &["orm-and-n-plus-1"]),
    ("next.js seekhu ya react", &["nextjs", "react"]),
    ("useMemo kab use karna chahiye", &["react-hooks"]),
    ("css se div center kaise karu", &["html-css"]),
    (".env file github pe push ho gayi", &["secrets-env"]),
    ("microservises ya monolith", &["microservices-vs-monolith"]),
    ("server pe traffic badh gaya, scale kaise karu", &["scaling"]),
    ("Java spring boot ka roadmap do", &["java"]),
    ("c++ ya java dsa ke liye", &["cpp", "java", "dsa-how-much"]),
    ("golang seekhna sahi rahega?", &["go"]),
    ("rust ka borrow checker samjhao", &["rust"]),
    ("machine learning kaise shuru karu", &["data-science-ml"]),
    ("data science me career", &["data-science-ml"]),
    ("ethical haking kaise sikhe", &["ethical-hacking"]),
    ("freelancing me pehla client kaise mile", &["freelancing"]),
    ("linkdin profile kaise banaye", &["linkedin"]),
    ("mujhe english nahi aati, job milegi?", &["english-fear"]),
    ("tier 3 college se hu placement nahi hoti", &["tier-3-college"]),
    ("imposter syndrome ho raha hai", &["self-doubt"]),
    ("prompt engineering kya hai", &["prompt-writing"]),
    ("RAG vs fine tuning", &["rag-vs-fine-tuning"]),
    ("MCP server kaise banau", &["mcp"]),
    ("mern stack ya django", &["choosing-a-stack"]),
    ("open source me contribute kaise karu", &["open-source"]),
    ("remote job kaise dhundhu", &["remote-jobs"]),
    ("btech zaruri hai ya skills", &["degree-or-skills"]),
    ("whatsapp bot kaise banaye", &["whatsapp-telegram-bots"]),
    ("देवऑप्स का रोडमैप बताओ", &["devops-path"]),
    ("ब्लॉकचेन सीखना चाहिए क्या", &["blockchain"]),
    ("langgraph me checkpointer kya karta hai", &["langgraph-state-checkpointer"]),
    ("aaj petrol ka rate", &[]),
    ("I am fine, thank you", &[]),
    ("railway ticket kaise book kare", &[]),
    ("washing machine kharab ho gayi", &[]),
    ("translate hello to English", &[]),
    ("birth certificate kaise banwaye", &[]),
    ("namak aur pepper kitna dalu sabzi me", &[]),
    ("train late kyu hai", &[]),
    ("fork aur spoon ka set lena hai", &[]),
    ("bank se home loan kaise le", &[]),
];

/// Over the specialised notes, written together with [`SPECIALISED`] and measured once, when that was done: 40 of 43.
const SPECIALISED_UNSEEN: &[(&str, &[&str])] = &[
    ("compose me ek service dusri ka wait kaise kare healthcheck se", &["docker-compose"]),
    ("kubernetes ke pods restart ho rahe hai", &["kubernetes"]),
    ("push karte hi apne aap deploy ho jaye, CI pipeline kaise banau", &["ci-cd"]),
    ("502 bad gateway aa raha hai", &["nginx"]),
    ("SSL certificate kaise lagau", &["https-tls"]),
    ("DNS propagation me kitna time lagta hai", &["dns"]),
    ("what is gRPC and when should I use it", &["grpc"]),
    ("background jobs ke liye celery lagau ya nahi", &["queues-kafka-rabbitmq"]),
    ("server sent events vs websocket", &["websockets-sse"]),
    ("bcrypt se pasword hash kaise kare", &["password-hashing"]),
    ("session aur token me kya fark hai", &["sessions-vs-tokens"]),
    ("prisma use karu ya raw sql", &["orm-and-n-plus-1"]),
    ("composite index kab banana chahiye", &["sql-indexes"]),
    ("server side rendering kya hoti hai", &["nextjs"]),
    ("flexbox samjh nahi aata", &["html-css"]),
    ("ec2 pe node app kaise chalau", &["vps-ec2"]),
    ("production me logs kaise dekhu", &["logging-monitoring"]),
    ("bash script me loop kaise lagate hai", &["bash-scripting"]),
    ("git merge me konflict aa gaya", &["merge-conflicts"]),
    ("rebase karne ke baad force push karna pada", &["rebase-vs-merge"]),
    ("sprng boot seekhna hai", &["java"]),
    ("goroutine aur channel samjhao", &["go"]),
    ("cyber security me career kaise banaye", &["ethical-hacking"]),
    ("fiverr pe order nahi mil rahe", &["freelancing"]),
    ("commerce student hu, coding seekh sakta hu?", &["non-it-switch"]),
    ("vector database konsa use karu, pinecone ya qdrant", &["embeddings-vector-db", "rag"]),
    ("chatgpt se code likhwana galat hai kya", &["using-chatgpt-well"]),
    ("ghar se kaam wali remote job chahiye", &["remote-jobs"]),
    ("time table kaise banau padhai ka, productivity nahi hai", &["productivity"]),
    ("excel ka kaam python se automate karna hai", &["automation"]),
    ("डीएनएस क्या होता है", &["dns"]),
    ("मशीन लर्निंग कैसे सीखें", &["data-science-ml"]),
    ("ग्राफक्यूएल क्या है", &["graphql"]),
    ("hostel ka khana bahut kharab hai", &[]),
    ("bijli ka meter reading kaise dekhe", &[]),
    ("passport renew karna hai", &[]),
    ("biwi se jhagda ho gaya", &[]),
    ("pani puri ki recipe batao", &[]),
    ("car ka insurance claim kaise kare", &[]),
    ("who invented the telephone", &[]),
    ("exam ka time table kab aayega", &[]),
    ("india vs pakistan match kab hai", &[]),
    ("best mobile under 20000", &[]),
];

fn wrong(persona: &Persona, set: &[(&str, &[&str])]) -> Vec<String> {
    set.iter()
        .map(|(question, labels)| (question, labels, persona.select_notes(question, None, PromptSize::Full)))
        .filter(|(_, labels, found)| match found.first() {
            Some(first) => !labels.contains(&first.as_str()),
            None => !labels.is_empty(),
        })
        .map(|(question, labels, found)| format!("{question}: {labels:?} but {found:?}"))
        .collect()
}

#[test]
fn most_questions_that_were_not_tuned_on_find_their_note_or_silence() {
    let persona = Persona::builtin("hitesh").unwrap();
    for set in [SEEN_ONCE, UNSEEN, SPECIALISED_UNSEEN] {
        let wrong = wrong(&persona, set);
        assert!(wrong.len() * 8 <= set.len(), "{} of {} wrong: {wrong:#?}", wrong.len(), set.len());
    }
}

#[test]
fn nearly_all_questions_that_were_tuned_on_find_their_note_or_silence() {
    let persona = Persona::builtin("hitesh").unwrap();
    let (off_topic, on_topic): (Vec<_>, Vec<_>) = SPECIALISED.iter().partition(|(_, labels)| labels.is_empty());
    for set in [off_topic, on_topic] {
        let wrong = wrong(&persona, &set);
        assert!(wrong.len() * 20 <= set.len(), "{} of {} wrong: {wrong:#?}", wrong.len(), set.len());
    }
}

#[test]
fn off_topic_questions_find_nothing() {
    let persona = Persona::builtin("hitesh").unwrap();
    let sets = [LABELLED, SEEN_ONCE, UNSEEN, SPECIALISED, SPECIALISED_UNSEEN];
    let off_topic: Vec<_> = sets.into_iter().flatten().copied().filter(|(_, labels)| labels.is_empty()).collect();
    let wrong = wrong(&persona, &off_topic);
    assert!(wrong.len() * 20 <= off_topic.len(), "{} of {} wrong: {wrong:#?}", wrong.len(), off_topic.len());
}

#[test]
fn half_of_a_keyword_finds_nothing() {
    let persona = Persona::builtin("hitesh").unwrap();
    for (half, whole, note) in [
        ("petrol ka rate kya hai", "api ka rate limit kya hai", "rate-limiting"),
        ("I am fine", "what is fine tuning", "rag-vs-fine-tuning"),
        ("translate to English", "english weak hai", "english-fear"),
        ("railway ticket kaise book kare", "railway pe deploy kaise kare", "render-railway"),
    ] {
        assert_eq!(first(&persona, half, None), None, "{half}");
        assert_eq!(first(&persona, whole, None).as_deref(), Some(note), "{whole}");
    }
}

#[test]
fn a_subject_that_sounds_like_a_stop_word_is_found() {
    let persona = Persona::builtin("hitesh").unwrap();
    for (question, note) in [
        ("oauth kya hai", "oauth"),
        ("bash kya hai", "linux-bash"),
        ("next.js kya hai", "nextjs"),
        ("nextjs kya hai", "nextjs"),
        ("next js kya hai", "nextjs"),
        ("node.js kya hai", "nodejs"),
    ] {
        assert_eq!(first(&persona, question, None).as_deref(), Some(note), "{question}");
    }
    for question in ["bas bhai", "baas kijiye", "kaisey karain", "mumbai se goa", "how do I go there"] {
        assert_eq!(first(&persona, question, None), None, "{question}");
    }
}
