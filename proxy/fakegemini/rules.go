package fakegemini

import "slices"

// RuleName names one rule, in the table below, in the tests, and in what the fake records.
type RuleName string

// Stage is when a rule is looked at; a request meets the stages in this order.
type Stage int

// The stages.
const (
	StageTransport Stage = iota // path, credentials, size, model
	StageReading                // JSON and types
	StageMeaning                // what the request says
)

// Wording says where the text of a refusal comes from.
type Wording string

// The sources of wordings.
const (
	FromTraffic Wording = "recorded" // recorded traffic
	FromReports Wording = "reported" // public reports of the error
	FromDocs    Wording = "docs"     // the rule is documented, the text is the fake's own or nearly so
	FromUs      Wording = "own"      // the rule is taken for granted by all clients, the text is the fake's own
)

// Rule is one thing that the fake refuses as Google does. check is set for StageMeaning; the other stages cite the
// rule by name where they refuse.
type Rule struct {
	Name    RuleName
	Stage   Stage
	Wording Wording
	Says    string // what is refused
	on      calls  // the calls that are checked
	check   func(*asked) *refusal
}

// calls is a set of calls of the API.
type calls int

const (
	onGenerate calls = 1 << iota
	onCount
	onEmbed
	onCache   // cachedContents.create
	onOther   // the rest of caches and files
	onPrompt  = onGenerate | onCount
	onContent = onPrompt | onCache
	onAny     = onContent | onEmbed | onOther
)

// The names of the rules.
const (
	RulePath           RuleName = "path"
	RuleNoKey          RuleName = "no-key"
	RuleManyKeys       RuleName = "many-credentials"
	RuleBadKey         RuleName = "unknown-key"
	RuleBodySize       RuleName = "body-size"
	RuleModel          RuleName = "unknown-model"
	RuleJSON           RuleName = "malformed-json"
	RuleDepth          RuleName = "nesting"
	RuleUnknownName    RuleName = "unknown-name"
	RuleType           RuleName = "wrong-type"
	RuleOneOf          RuleName = "two-data-fields"
	RuleContents       RuleName = "no-contents"
	RuleCountForm      RuleName = "count-form"
	RuleParts          RuleName = "no-parts"
	RulePartData       RuleName = "empty-part"
	RuleSystemText     RuleName = "system-text"
	RuleRole           RuleName = "role"
	RuleSingleTurn     RuleName = "single-turn"
	RuleFirstTurn      RuleName = "first-turn"
	RuleLastTurn       RuleName = "last-turn"
	RuleCallTurn       RuleName = "call-turn"
	RuleResponseTurn   RuleName = "response-turn"
	RuleResponseCount  RuleName = "response-count"
	RuleCallName       RuleName = "call-name"
	RuleResponseName   RuleName = "response-name"
	RuleResponseID     RuleName = "response-id"
	RuleResponseObject RuleName = "response-object"
	RuleResponseMedia  RuleName = "response-media"
	RuleResponseType   RuleName = "response-media-type"
	RulePDFSize        RuleName = "pdf-size"
	RuleSignMissing    RuleName = "signature-missing"
	RuleSignInvalid    RuleName = "signature-invalid"
	RuleFunctionName   RuleName = "function-name"
	RuleDuplicate      RuleName = "duplicate-function"
	RuleTwoSchemas     RuleName = "two-schemas"
	RuleSchema         RuleName = "schema"
	RuleEmptyObject    RuleName = "empty-object"
	RuleJSONSchema     RuleName = "json-schema"
	RuleDeclarations   RuleName = "declarations"
	RuleCallingConfig  RuleName = "calling-config"
	RuleAllowedMode    RuleName = "allowed-names-mode"
	RuleAllowedNames   RuleName = "allowed-names"
	RuleBuiltInFlag    RuleName = "built-in-flag"
	RuleBuiltInOld     RuleName = "built-in-2x"
	RuleJSONWithCalls  RuleName = "json-with-functions"
	RuleSchemaMime     RuleName = "schema-mime"
	RuleMimeType       RuleName = "mime-type"
	RuleStopSequences  RuleName = "stop-sequences"
	RuleCandidates     RuleName = "candidates"
	RuleTemperature    RuleName = "temperature"
	RuleTopP           RuleName = "top-p"
	RuleOutputTokens   RuleName = "output-tokens"
	RuleOutputWhole    RuleName = "output-tokens-whole"
	RulePenalty        RuleName = "penalty"
	RulePenaltyRange   RuleName = "penalty-range"
	RuleThinkingBoth   RuleName = "thinking-both"
	RuleThinkingHidden RuleName = "thinking-hidden"
	RuleThinkingLevel  RuleName = "thinking-level"
	RuleThinkingBudget RuleName = "thinking-budget"
	RuleThinkingNone   RuleName = "thinking-none"
	RuleCachedContent  RuleName = "cached-content"
	RuleCacheForm      RuleName = "cache-form"
	RuleCacheSize      RuleName = "cache-size"
	RuleCacheOwner     RuleName = "cache-owner"
	RuleCacheModel     RuleName = "cache-model"
	RuleUpload         RuleName = "upload"
	RuleFileOwner      RuleName = "file-owner"
	RuleContinuation   RuleName = "continuation"
	RuleToolEcho       RuleName = "tool-echo"
	RuleEmbedBatch     RuleName = "embed-batch"
	RuleEmbedModel     RuleName = "embed-model"
	RuleEmbedContent   RuleName = "embed-content"
	RuleEmbedMedia     RuleName = "embed-media"
	RuleEmbedSize      RuleName = "embed-dimensions"
	RuleInputTokens    RuleName = "input-tokens"
)

// Rules is the table of all rules, in the order in which they are looked at.
func Rules() []Rule {
	return slices.Concat(transportRules(), readingRules(), contentRules(), turnRules(), toolRules(), configRules())
}

// transportRules look at path, credentials, size and model.
func transportRules() []Rule {
	return []Rule{
		{RulePath, StageTransport, FromUs, "a path or method that doesn't exist", onAny, nil},
		{RuleManyKeys, StageTransport, FromReports, "more than one credential: x-goog-api-key, key=, Authorization", onAny, nil},
		{RuleNoKey, StageTransport, FromReports, "no credential", onAny, nil},
		{RuleBadKey, StageTransport, FromTraffic, "a key that isn't among those accepted", onAny, nil},
		{RuleBodySize, StageTransport, FromDocs, "a body over 100 MB", onAny, nil},
		{RuleModel, StageTransport, FromTraffic, "an unknown model, or one without the method", onAny, nil},
		{RuleUpload, StageTransport, FromUs, "an upload by no known protocol, with pieces out of order, or with a bad file name", onOther, nil},
	}
}

// readingRules look at JSON and types.
func readingRules() []Rule {
	return []Rule{
		{RuleJSON, StageReading, FromReports, "malformed JSON, or text that isn't UTF-8", onAny, nil},
		{RuleDepth, StageReading, FromUs, "more than 100 levels of nesting", onAny, nil},
		{RuleUnknownName, StageReading, FromTraffic, "a field name that the API doesn't have, anywhere", onAny, nil},
		{RuleType, StageReading, FromTraffic, "a value of the wrong type, an unknown enum value, bad base64; args or response not an object", onAny, nil},
		{RuleOneOf, StageReading, FromReports, "two data fields in one part", onAny, nil},
	}
}

// contentRules look at contents and parts by themselves, and at embeddings.
func contentRules() []Rule {
	return []Rule{
		{RuleCountForm, StageMeaning, FromDocs, "countTokens with both contents and generateContentRequest", onPrompt, countForm},
		{RuleEmbedBatch, StageMeaning, FromReports, "batchEmbedContents with no request, or more than 100", onEmbed, embedBatch},
		{RuleEmbedModel, StageMeaning, FromReports, "a request of a batch without the model of the path, in the form models/x", onEmbed, embedModel},
		{RuleEmbedContent, StageMeaning, FromReports, "nothing to embed, or an empty part", onEmbed, embedContent},
		{RuleEmbedMedia, StageMeaning, FromDocs, "anything but text for a model that embeds text only", onEmbed, embedMedia},
		{RuleEmbedSize, StageMeaning, FromDocs, "outputDimensionality below 1 or above the model's own", onEmbed, embedSize},
		{RuleContents, StageMeaning, FromReports, "no contents", onPrompt, contentsPresent},
		{RuleParts, StageMeaning, FromReports, "a content without parts", onContent, partsPresent},
		{RulePartData, StageMeaning, FromReports, "a part without a data field ({}); an empty text is legal", onContent, partData},
		{RuleCallName, StageMeaning, FromReports, "a functionCall or functionResponse without a name", onContent, callNames},
		{RuleResponseObject, StageMeaning, FromUs, "a functionResponse without a response", onContent, responseObject},
		{RuleRole, StageMeaning, FromReports, "a role other than user and model", onContent, roles},
		{RuleSystemText, StageMeaning, FromDocs, "a system instruction with anything but text", onContent, systemText},
	}
}

// turnRules look at the order of turns.
func turnRules() []Rule {
	return []Rule{
		{RuleSingleTurn, StageMeaning, FromReports, "one content only, and its role is model", onGenerate, singleTurn},
		{RuleFirstTurn, StageMeaning, FromDocs, "a conversation that begins with a model turn", onGenerate, firstTurn},
		{RuleCallTurn, StageMeaning, FromReports, "a function call turn that isn't right after a user turn or a function response turn", onGenerate, callTurn},
		{RuleResponseTurn, StageMeaning, FromReports, "a function response turn that isn't right after a function call turn", onGenerate, responseTurn},
		{RuleResponseCount, StageMeaning, FromReports, "more or fewer responses than calls, calls without any response included", onGenerate, responseCount},
		{RuleResponseName, StageMeaning, FromUs, "a response whose name is not that of a call of the turn before", onGenerate, responseNames},
		{RuleResponseID, StageMeaning, FromUs, "a response with an id that is not its call's", onGenerate, responseIDs},
		{RuleResponseMedia, StageMeaning, FromDocs, "functionResponse.parts on Gemini 2.x", onGenerate, responseMedia},
		{RuleResponseType, StageMeaning, FromDocs, "functionResponse.parts of a type that isn't taken there", onGenerate, responseTypes},
		{RulePDFSize, StageMeaning, FromDocs, "an inline PDF over 50 MB", onContent, pdfSize},
		{RuleLastTurn, StageMeaning, FromDocs, "a conversation that ends in a model turn, on 3.5-flash-lite and newer", onGenerate, lastTurn},
	}
}

// toolRules look at functions and built-in tools.
func toolRules() []Rule {
	return []Rule{
		{RuleFunctionName, StageMeaning, FromReports, "a function name with other characters, or over 64 of them", onContent, functionNames},
		{RuleDuplicate, StageMeaning, FromReports, "a function declared twice", onContent, duplicateFunctions},
		{RuleTwoSchemas, StageMeaning, FromUs, "parameters beside parametersJsonSchema, or the same of response", onContent, twoSchemas},
		{RuleSchema, StageMeaning, FromReports, "a proto schema whose structure is wrong", onContent, schemas},
		{RuleEmptyObject, StageMeaning, FromReports, "a proto schema with an object without properties below its top, on 2.x", onContent, emptyObjects},
		{RuleJSONSchema, StageMeaning, FromReports, "a JSON schema with a $ref that leads nowhere, has siblings beyond $-names, or comes back to itself through required properties", onContent, jsonSchemas},
		{RuleDeclarations, StageMeaning, FromDocs, "more than 512 functions", onContent, declarations},
		{RuleCallingConfig, StageMeaning, FromReports, "functionCallingConfig without declarations", onGenerate, callingConfig},
		{RuleAllowedMode, StageMeaning, FromDocs, "allowedFunctionNames with a mode other than ANY and VALIDATED", onGenerate, allowedMode},
		{RuleAllowedNames, StageMeaning, FromDocs, "an allowed name that isn't declared", onGenerate, allowedNames},
		{RuleBuiltInFlag, StageMeaning, FromReports, "built-in tools beside functions without includeServerSideToolInvocations, on 3 and later", onGenerate, builtInFlag},
		{RuleBuiltInOld, StageMeaning, FromReports, "built-in tools beside functions, or the flag, on 2.x", onGenerate, builtInOld},
		{RuleJSONWithCalls, StageMeaning, FromReports, "functions or built-in tools beside application/json on 2.x", onGenerate, jsonWithCalls},
	}
}

// configRules look at the generation config, caches, files, and at last at signatures.
func configRules() []Rule {
	return []Rule{
		{RuleSchemaMime, StageMeaning, FromReports, "a response schema without application/json, or two of them", onGenerate, schemaMime},
		{RuleMimeType, StageMeaning, FromReports, "a responseMimeType other than plain text, JSON, XML, YAML and text/x.enum", onGenerate, mimeTypes},
		{RuleStopSequences, StageMeaning, FromReports, "more than 5 stop sequences", onGenerate, stopSequences},
		{RuleCandidates, StageMeaning, FromDocs, "candidateCount out of 1 to 8; over 1 on Gemini 4", onGenerate, candidates},
		{RuleTemperature, StageMeaning, FromDocs, "a temperature out of 0 to 2", onGenerate, temperature},
		{RuleTopP, StageMeaning, FromDocs, "a topP out of 0 to 1", onGenerate, topP},
		{RuleOutputTokens, StageMeaning, FromDocs, "maxOutputTokens below 1 or above the model's limit", onGenerate, outputTokens},
		{RuleOutputWhole, StageMeaning, FromDocs, "maxOutputTokens above 32768 for generateContent on Gemini 4", onGenerate, outputWhole},
		{RulePenalty, StageMeaning, FromDocs, "presencePenalty or frequencyPenalty on 3.5-flash-lite and newer", onGenerate, penalties},
		{RulePenaltyRange, StageMeaning, FromDocs, "a penalty below -2, or of 2 and above", onGenerate, penaltyRange},
		{RuleThinkingNone, StageMeaning, FromDocs, "thinkingConfig on a model that doesn't think", onGenerate, thinkingNone},
		{RuleThinkingBoth, StageMeaning, FromDocs, "thinkingBudget and thinkingLevel together", onGenerate, thinkingBoth},
		{RuleThinkingHidden, StageMeaning, FromReports, "includeThoughts beside a thinkingBudget of 0", onGenerate, thinkingHidden},
		{RuleThinkingLevel, StageMeaning, FromReports, "a level that the model doesn't have", onGenerate, thinkingLevel},
		{RuleThinkingBudget, StageMeaning, FromReports, "a budget out of the model's range; any on Gemini 4", onGenerate, thinkingBudget},
		{RuleCachedContent, StageMeaning, FromReports, "cachedContent beside systemInstruction, tools or toolConfig; any on Gemini 4", onGenerate, cachedContent},
		{RuleCacheForm, StageMeaning, FromDocs, "a cache without a model or contents, or a patch of anything but its expiration", onCache, cacheContents},
		{RuleCacheSize, StageMeaning, FromReports, "a cache of fewer tokens than the model caches", onCache, cacheSize},
		{RuleCacheOwner, StageMeaning, FromReports, "a cache that doesn't exist, or is of another project", onPrompt, cacheOwner},
		{RuleCacheModel, StageMeaning, FromReports, "a cache of another model", onGenerate, cacheModel},
		{RuleFileOwner, StageMeaning, FromReports, "a file of the Files API that doesn't exist, or is of another project", onContent, fileOwner},
		{RuleContinuation, StageMeaning, FromDocs, "a continuationToken that wasn't given for this very request", onGenerate, continues},
		{RuleInputTokens, StageMeaning, FromTraffic, "more input tokens than the model takes", onGenerate, inputTokens},
		{RuleSignMissing, StageMeaning, FromTraffic, "no signature on the first call of a step of the current turn, on 3 and later", onGenerate, signaturesPresent},
		{RuleSignInvalid, StageMeaning, FromReports, "a signature of the current turn that isn't the fake's, or sits on another part, call or model", onGenerate, signaturesValid},
		{RuleToolEcho, StageMeaning, FromDocs, "a toolCall or toolResponse of the current turn that isn't, signature included, what the fake said, on 3 and later", onGenerate, toolEcho},
	}
}

// asked is a request at the stage of meaning.
type asked struct {
	body    *GenerateContentRequest
	count   *CountTokensRequest   // set for countTokens only
	embed   []EmbedContentRequest // set for embedContent and batchEmbedContents only
	call    calls                 // the one of this request
	model   Model
	message string // the message name that field paths begin with
	stream  bool
	signer  *signer
	given   *continuations
	project string // of the key
	caches  *shelf[CachedContent]
	files   *shelf[File]
	maxPDF  int64
}

// refusal is a refused request: the rule and the answer.
type refusal struct {
	rule RuleName
	err  *APIError
}

// refuse is a refusal with the usual 400.
func refuse(rule RuleName, message string) *refusal { return &refusal{rule, Err(400, message)} }

// violations is a refusal made of lines of the form "* Message.path: text"; nil when there are none.
func (q *asked) violations(rule RuleName, lines []string) *refusal {
	if len(lines) == 0 {
		return nil
	}
	text := ""
	for _, l := range lines {
		text += "* " + q.message + "." + l + "\n"
	}
	return refuse(rule, text)
}

// judge looks at every rule of meaning and returns the first that refuses.
func judge(q *asked) *refusal {
	for _, rule := range Rules() {
		if rule.check == nil || rule.on&q.call == 0 {
			continue
		}
		if r := rule.check(q); r != nil {
			return r
		}
	}
	return nil
}
