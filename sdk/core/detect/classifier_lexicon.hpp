// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

// What words are about, in the languages that attacks come in. The classifier learns from the order
// in which these meanings follow each other, not only from words: "ignore the rules above" and
// "vergiss alle bisherigen Anweisungen" are one sentence to it.
//
// A word ending in * stands for all that begin so. Chinese, Japanese and Korean are read two
// characters at a time, so their entries have two. Words are compared after the classifier's own
// folding (lower case, no accents, look-alikes resolved).
namespace aispm::detect {

enum class Concept : std::uint8_t {
  kNone,
  kOverride,
  kPrior,
  kInstruction,
  kTask,
  kSystem,
  kPrompt,
  kAll,
  kNew,
  kReveal,
  kVerbatim,
  kHidden,
  kPersona,
  kUnbound,
  kMoral,
  kRefuse,
  kAssistant,
  kYou,
  kMust,
  kNegation,
  kUser,
  kTell,
  kSecrecy,
  kSend,
  kCredential,
  kData,
  kExecute,
  kDestroy,
  kEncode,
  kUrgent,
  kTool,
  kMoney,
  kMemory,
  kNow,
  kRespond,
  kFiction,
  kAuthority,
  kDiscuss,
  kAsk,
  kFirst,
  kEnd,
  kMe,
  kWith,
  kAttack,
  kPermit,
  kFile,
  kSafety,
  kInstead,
  kPlease,
  // Structure; no words.
  kSentence,
  kUrl,
  kMail,
  kPath,
  kTurn,
  kMarkup,
  kRule,
  kComment,
  kImage,
  kSlot,
  kCode,
  kNumber,
  kShout,
  kQuestion,
  kQuote,
  kCount
};

struct LexiconEntry {
  Concept meaning;
  std::string_view name;   // as it stands in a record
  std::string_view words;  // separated by spaces
};

// clang-format off
inline constexpr LexiconEntry kLexicon[] = {
    {Concept::kOverride, "override",
     "ignore ignores ignored ignoring disregard disregards disregarding disregarded forget forgets forgetting bypass* overrid* overrule* dismiss "
     "neglect discard discarding overlook omit abandon circumvent* void nullify invalidate overwrite supersede* supersed* cancel reset unlearn skip "
     "ignorier* missacht* vergiss vergessen vergesst ubergeh* umgeh* ausser verwerf* "
     "ignorez ignorer oublie oubliez oublier neglige* contourne* annule* "
     "ignora ignorar ignore ignoren olvida olvide olvidar olvidate omite omitir descarta descarte anula anular "
     "esqueca esquece esquecer desconsidere desconsidera desconsiderar descartar ignorem "
     "ignorare dimentica dimenticare trascura scarta tralascia negeer negeren vergeet zignoruj ignoruj zapomnij pomin "
     "игнорир* проигнорир* забудь забудьте забыть отмени* обойди обход* ігнору* забудьте "
     "unut gormezden yoksay ignorera glom ignorirati ignoruj* zapomen* ignora uita abaikan lupakan "
     "bo_qua quen تجاهل تجاهلي انس انسى अनदेखा नजरअंदाज भूल "
     "忽略 忽视 无视 无視 無視 忘记 忘掉 绕过 跳过 忘れ 무시 잊어 잊고"},
    {Concept::kPrior, "earlier",
     "previous previously prior above earlier preceding foregoing before past former formerly initial initially original originally existing old preexisting hitherto "
     "vorherig* vorig* bisherig* obig* fruher* vorangegangen* vorhergehend* ursprunglich* "
     "precedent* precedente* anterieur* anterior* anteriores previas previos previa previo precedentes dessus auparavant "
     "precedenti precedente vorige eerdere bovenstaande poprzedni* wczesniej* powyzsz* "
     "предыдущ* прежн* ранее выше попередн* onceki onceden tidigare ovanstaende predchoz* anterioare sebelumnya truoc "
     "السابقة السابق السابقه पिछले पिछली पहले "
     "之前 以前 先前 上述 此前 以上 前面 前の 上記 이전 앞의 위의 기존"},
    {Concept::kInstruction, "instructions",
     "instruction instructions instructed rule rules guideline guidelines directive directives directions command commands commandments order orders constraint constraints "
     "restriction restrictions policy policies protocol protocols programming guidance safeguard safeguards limitation limitations guardrail guardrails "
     "anweisung* anleitung* regel regeln befehl* vorgabe* vorschrift* richtlini* einschrankung* aufforderung* "
     "consigne* directive* regles regle ordres instrucciones instruccion reglas regla ordenes directrices restricciones "
     "instrucoes instrucao regras regra ordens diretrizes istruzioni istruzione regole regola ordini direttive "
     "instructies instructie regels opdracht* polecen* instrukcj* zasad* "
     "инструкци* указани* правил* команд* инструкці* talimat* kural* komut* instruktion* regler pokyn* instrukce pravidl* instructiuni* instruksi perintah aturan "
     "التعليمات تعليمات الاوامر القواعد निर्देश* आदेश* नियम* "
     "指令 指示 规则 規則 命令 说明 限制 ルール 지시 명령 지침 규칙"},
    {Concept::kTask, "task",
     "task tasks assignment objective objectives goal goals mission purpose job duty aufgabe* tache taches tarea tareas tarefa tarefas compito compiti taak taken zadani* задач* задани* gorev* "
     "任务 任務 目标 タス 작업 임무 과제"},
    {Concept::kSystem, "system",
     "system systems sys developer dev admin administrator administrative root sudo superuser internal core kernel maintenance debug debugging diagnostic diagnostics "
     "systeme sistema sistemas systeem systemow* систем* системн* sistem sistemi "
     "系统 系統 开发 管理 シス 시스 관리 개발"},
    {Concept::kPrompt, "prompt",
     "prompt prompts preprompt metaprompt pre-prompt promptu промпт* подсказк* الموجه प्रॉम्प्ट "
     "提示 プロ 프롬"},
    {Concept::kAll, "all",
     "all any every everything anything whatever each entire whole alle alles jede* samtliche* tout tous toutes toute todo todos todas toda tutto tutti tutte tutta wszystk* "
     "все всё весь всех tum butun alla vsechn* toate semua جميع كل सभी सब 所有 一切 全部 すべ 全て 모든 모두"},
    {Concept::kNew, "new",
     "new newly updated update following next real actual actually true revised different additional alternate alternative "
     "neu neue neuen neuer neues folgend* nouvelle nouvelles nouveau nouveaux suivante* nueva nuevas nuevo nuevos siguiente* nova novas novo novos seguinte* nuovo nuova nuove nuovi seguent* "
     "nieuwe nowe nowych nowy нов* следующ* yeni nya baru جديدة الجديدة नए नई 新的 以下 新し 次の 새로 다음"},
    {Concept::kReveal, "reveal",
     "reveal reveals revealing show shows print prints display displays repeat repeats repeating expose exposing leak leaks disclose disclosing disclosed dump dumps recite echo "
     "spell translate summarize summarise paraphrase list reprint recap regurgitate divulge extract copy paste "
     "zeig zeige zeigen wiederhole* verrate verrat* gib ausgeben nenn* offenbar* affiche* montre* revele* repete* divulgue* muestra* mostrar revela* repite imprime* "
     "mostre repita revele exiba imprima mostra ripeti rivela stampa toon herhaal onthul pokaz* powtorz ujawn* wypisz "
     "покажи* выведи* повтори* раскрой* напечатай* goster* tekrarla yazdir visa upprepa zobraz* afiseaza arata tampilkan ulangi اظهر اعرض اكشف كرر दिखा* बता* दोहरा* "
     "显示 告诉 输出 重复 打印 透露 泄露 展示 表示 教え 見せ 繰り 출력 보여 알려 반복 공개"},
    {Concept::kVerbatim, "verbatim",
     "verbatim exactly word-for-word literally entirety full complete completely fully raw unmodified wortlich* genau vollstandig* textuellement mot literalmente textual* integralmente letteralmente "
     "дословно полностью 完整 逐字 原文 全文 그대로 전체"},
    {Concept::kHidden, "secret content",
     "hidden secret secrets confidential private undisclosed classified sensitive proprietary geheim* verborgen* secrete* cache* secreta* secreto* confidencial* oculta* oculto* segreto segreta nascost* tajn* ukryt* "
     "секретн* скрыт* конфиденц* gizli سري السرية गुप्त गोपनीय 秘密 机密 隐藏 保密 密码 비밀 숨겨"},
    {Concept::kPersona, "persona",
     "pretend pretends pretending act acting roleplay roleplaying role-play simulate simulates simulating imagine impersonate impersonating become becoming emulate emulating embody persona personas character characters role roles behave immerse portray "
     "stell tu vorstellen verhalte rolle rollenspiel agis imagine role faire fais finge fingir actua actuar interpreta imagina papel finja aja atue fai finta agisci ruolo doe alsof udawaj wciel "
     "представь* притвор* веди роль действуй rol davran oyna agera spela berpura bertindak تظاهر تصرف دور "
     "扮演 假装 假设 角色 模拟 想象 演じ 役割 振る 역할 연기 가정 척해"},
    {Concept::kUnbound, "without limits",
     "dan jailbreak jailbroken jailbreaks unrestricted unfiltered uncensored unlimited unbounded unchained limitless evil godmode aim stan dude unethical amoral rogue chaotic omnipotent freed unshackled unhinged uncensor "
     "uneingeschrankt* unzensiert* hemmungslos* senza_limiti illimite* ilimitad* sin_limites sem_limites неограничен* без_ограничений sinirsiz "
     "越狱 无限 不受 無制 制限 제한 탈옥"},
    {Concept::kMoral, "moral",
     "ethical ethically ethics moral morals morality illegal illegally legality immoral lawful law laws legal norms appropriate inappropriate offensive explicit profanity swear curse consent "
     "ethisch* moral* illegal* etica eticas ethique* etico etici этич* мораль* законн* 道德 伦理 法律 合法 违法 倫理 윤리 도덕 불법"},
    {Concept::kSafety, "safety",
     "safety safe filter filters filtering moderation censorship censor censored openai anthropic content harmful dangerous warning warnings disclaimer disclaimers caveat caveats compliance "
     "sicherheits* filtre* filtro* seguranca seguridad sicurezza безопасн* фильтр* guvenlik 安全 过滤 审查 フィ 필터 안전"},
    {Concept::kRefuse, "refuse",
     "refuse refuses refusing refusal decline declines sorry apologize apologise apologies apology hesitate object deny denying reject weiger* ablehn* refuser refuse* rechaz* recus* rifiut* отказ* reddet 拒绝 拒否 거부"},
    {Concept::kAssistant, "assistant",
     "ai assistant assistants llm llms chatbot chatbots model models gpt chatgpt gpt3 gpt4 claude bard gemini copilot agent agents bot llama mistral bing machine ki assistent* assistente asistente ассистент* модел* yapay asistan "
     "助手 模型 人工 机器 智能 アシ モデ 어시 모델 인공"},
    {Concept::kYou, "you",
     "you your yours yourself youre youll youve ur u du dein deine deinen deiner deines dir dich sie ihre ihr tu ton ta tes vous votre vos tus usted su sus te voce seu sua seus suas tuo tua tuoi tue je jouw uw ty twoj* ты твои твой твоя тебя вы ваш* sen senin din dina tvoje* أنت आप तुम 你的 您的 你是 你现 あな 당신 너는 너의"},
    {Concept::kMust, "must",
     "must should shall required require requires mandatory always need needs ensure obey comply follow follows adhere strictly obligated supposed sure musst mussen sollst sollen immer befolge* devez dois toujours suivez suis debes debe siempre sigue obedece deve devi sempre segua siga obedeca moet altijd volg musisz zawsze "
     "должен должна должны обязан* всегда следуй* zorunda mutlaka her_zaman harus يجب دائما चाहिए हमेशा 必须 务必 应该 一定 遵循 遵守 必ず 従っ 반드시 따라 항상"},
    {Concept::kNegation, "negation",
     "not dont doesnt cannot cant wont never no without avoid stop isnt arent shouldnt mustnt neither nor none nicht kein keine keinen nie ohne ne pas jamais sans sin nunca jamas sem nao non mai senza niet geen nooit nie bez не нет никогда без degil asla inte aldrig nu tidak jangan لا بدون नहीं मत 不要 不能 没有 不得 不会 别再 ない せず 않고 말고 하지"},
    {Concept::kUser, "user",
     "user users human humans customer customers people anyone anybody recipient reader operator benutzer* nutzer* utilisateur* usuario* utente utenti gebruiker* uzytkowni* пользовател* kullanici* 用户 ユー 사용"},
    {Concept::kTell, "tell",
     "tell tells mention mentions mentioning inform informing notify notifying alert acknowledge explain say saying indicate aware know sag sage sagen erwahn* informier* dis dites mentionne* informe* digas diga menciones mencione informar dire dici menzionare zeg vertel powiedz скажи* сообща* упомина* soyle 说明 提及 告知 通知 言わ 말해 말하 알리"},
    {Concept::kSecrecy, "in secret",
     "secretly silently quietly discreetly covertly stealthily invisibly unnoticed heimlich silencieusement secretamente silenciosamente discretamente тайно незаметно gizlice 悄悄 偷偷 暗中 静か 몰래 조용"},
    {Concept::kSend, "send",
     "send sends sending sent forward forwards forwarding email emails mail post posts upload uploads transmit transmits transmitting exfiltrate submit deliver bcc cc curl wget webhook publish relay share sharing message "
     "sende senden schick* weiterleit* envoie* envoyer transfere* envia* enviar reenvia* manda mandar envie encaminhe invia* inoltra stuur verzend wyslij przeslij отправ* перешли* gonder* skicka posli* trimite kirim ارسل भेज* "
     "发送 转发 上传 发到 送信 転送 전송 보내"},
    {Concept::kCredential, "credentials",
     "password passwords passwd passphrase credential credentials api apikey apikeys key keys token tokens ssh env rsa aws cookie cookies session sessions secretkey login ssn pin oauth jwt "
     "passwort* passworter kennwort* schlussel mot_de_passe contrasena* clave claves senha senhas chave chaves wachtwoord* haslo hasla парол* ключ* токен* sifre* parola 密钥 密码 口令 令牌 凭证 パス 鍵を 비밀 키를 토큰"},
    {Concept::kData, "data",
     "data information info details conversation conversations history record records contact contacts messages inbox chat chats context contents memory profile address addresses daten verlauf gesprach* donnees datos conversacion dados conversa dati conversazione gegevens dane danych данны* переписк* veri* "
     "数据 信息 对话 历史 内容 记录 情報 会話 履歴 데이 정보 대화 내용"},
    {Concept::kFile, "file",
     "file files document documents folder directory attachment attachments page website webpage article text passage datei* fichier* archivo* arquivo* documento* bestand* plik* файл* dosya* 文件 文档 ファ 파일 문서"},
    {Concept::kExecute, "execute",
     "execute executes executing executed run runs running call calls invoke invokes install download open eval exec launch trigger perform initiate proceed use using activate enable ausfuhr* fuhre starte execute* execut* ejecut* executa* esegui* voer uruchom* wykonaj* выполн* запуст* calistir* kor 执行 运行 调用 打开 启用 実行 実施 실행 호출"},
    {Concept::kDestroy, "destroy",
     "delete deletes deleting remove removes drop wipe wipes destroy destroys rm erase disable disables disabling shutdown kill encrypt corrupt modify alter change manipulate terminate revoke truncate tamper losch* supprime* efface* elimina* borra* apague delete* exclua cancella* verwijder usun* удали* сотри* sil 删除 清空 禁用 关闭 修改 削除 삭제 제거"},
    {Concept::kEncode, "encoding",
     "base64 encode encodes encoded encoding decode decodes decoded decoding rot13 hex hexadecimal cipher morse reversed backwards binary ascii unicode leetspeak obfuscate obfuscated caesar atbash 编码 解码 디코 인코"},
    {Concept::kUrgent, "urgent",
     "important urgent urgently critical attention immediately emergency crucial alert notice note warning asap priority wichtig* dringend* sofort achtung important* urgent* immediatement attention importante* urgente* inmediatamente atencion imediatamente atencao subito attenzione belangrijk pilne wazne важно срочно немедленно внимание onemli acil 重要 紧急 立即 注意 緊急 중요 긴급 즉시"},
    {Concept::kTool, "tool",
     "tool tools function functions endpoint plugin plugins mcp server skill skills command_line terminal shell bash powershell script scripts werkzeug* outil* herramienta* ferramenta* strument* инструмент* arac 工具 函数 ツー 도구 함수"},
    {Concept::kMoney, "money",
     "transfer transfers payment payments pay wire bank iban bitcoin btc wallet crypto usd dollars eur euro account funds invoice purchase buy refund uberweis* konto virement transferencia cuenta conta bonifico перевод* счет 转账 银行 账户 振込 송금 계좌"},
    {Concept::kMemory, "memory",
     "remember remembers recall memorize memorise persist persistent persistently permanently permanent future sessions store stored save saved retain merke merk* dauerhaft souviens rappelle recuerda recuerde lembre ricorda onthoud zapamietaj запомни* hatirla 记住 永久 以后 覚え 기억 앞으로"},
    {Concept::kNow, "from now on",
     "now henceforth onwards onward hereafter forth today starting jetzt nun ab desormais maintenant ahora partir agora ora adesso nu teraz теперь сейчас отныне simdi artik 现在 从现 今から 今後 이제 지금"},
    {Concept::kRespond, "respond",
     "respond responds responding response responses reply replies answer answers answering output outputs outputting begin start starts write generate produce provide give create continue antworte* antwort* repond* reponse* responde* responder respuesta resposta rispond* risposta antwoord odpowie* odpowiedz ответ* отвеча* cevap* yanit* 回答 回复 响应 生成 応答 答え 대답 답변 응답"},
    {Concept::kFiction, "fiction",
     "story stories novel fiction fictional hypothetical hypothetically scenario scenarios game movie film scene dialogue script screenplay poem universe world fantasy geschichte hypothetisch* histoire fictif historia ficticio ficcao storia истори* сценари* hikaye 故事 小说 虚构 游戏 情景 物語 小説 이야 소설 게임"},
    {Concept::kAuthority, "authority",
     "authorized authorised authorization authorize ceo cto manager supervisor boss creator creators owner engineer officer auditor audit auditing verified approved official elevated privileged privileges privilege clearance access level trusted permission permissions autorisiert* autorise* autoriza* autorizzat* авториз* разреш* yetkili 授权 权限 管理员 权利 許可 権限 권한 승인"},
    {Concept::kDiscuss, "discussion",
     "research researchers paper papers study example examples explain explains explained describe describes describing discuss discusses detect detects detection detecting prevent prevents prevention mitigate mitigation defend defends defense defence protect protecting against attack attacks attacker attackers vulnerability vulnerabilities owasp article blog documentation learn understand understanding teach training awareness best practices compare difference differences"},
    {Concept::kAsk, "question",
     "what how why when where who which whose can could would is are does do did was were wie warum wann wo wer comment pourquoi quand que como por cuando cosa perche kiedy jak как почему что когда nasil neden 什么 怎么 如何 为什 何を どう 어떻 무엇 왜요"},
    {Concept::kFirst, "first",
     "first begin beginning starting before_anything initially step erste zuerst d'abord premier primero primeiro prima eerst najpierw сначала первы* once 首先 开头 最初 まず 먼저 처음"},
    {Concept::kEnd, "end",
     "end ends ended finish finished complete completed done stop over terminated final finally conclude ende beendet fin finalizado fim fine koniec конец bitti 结束 完成 終了 종료 완료"},
    {Concept::kMe, "me",
     "me my mine i im ive us our we let mir mein meine ich moi mon ma mes mi mis yo meu minha mio mia mij mijn moj moje мне мой моя я bana benim 我的 给我 私の 私に 나의 나에 내게"},
    {Concept::kWith, "only with",
     "only just nothing else solely simply merely nur bloss seulement uniquement solo solamente apenas somente soltanto alleen tylko только sadece bara 只能 仅仅 只需 だけ のみ 오직 그냥"},
    {Concept::kAttack, "harm",
     "hack hacks hacking hacker malware virus ransomware exploit exploits phishing bomb weapon weapons explosive drugs meth poison murder steal stealing fraud scam keylogger backdoor payload inject injection pwned attacker malicious harm kill humans hate 黑客 炸弹 病毒 恶意 攻击 爆弾 폭탄 해킹"},
    {Concept::kPermit, "permission",
     "allowed allow allows permitted free freedom freely able capable regardless limits boundaries boundary bound bounds break broke broken breaking whatever anything_now consequences judgement judgment opinions"},
    {Concept::kPlease, "please", "please kindly bitte veuillez svp favor gentilmente alsjeblieft prosze пожалуйста lutfen tolong من_فضلك कृपया 请你 请将 请把 ください 주세요"},
    {Concept::kInstead, "instead",
     "instead rather stattdessen sondern plutot place lugar vez invece plaats zamiast вместо yerine but however 而是 代替 改为 代わ 대신"},
};
// clang-format on

// Of a whole word, and of the first letters of a longer one; kNone for most. `hash` is mix() over
// the folded letters (classifier_letters.hpp).
Concept meaning_of_word(std::uint32_t hash);
Concept meaning_of_prefix(std::uint32_t hash);
// As it stands in records, also of structure.
std::string_view name_of(Concept meaning);

}  // namespace aispm::detect
