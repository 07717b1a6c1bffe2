// Package fakegemini is a strict stand-in for Google's Gemini API (generativelanguage, v1beta and v1) on loopback: the
// measuring stick for everything that talks to Gemini. It shares no code with the proxy, so that a mistake of ours isn't made
// twice.
//
// It serves generateContent, streamGenerateContent (SSE with alt=sse, else one JSON array in pieces), countTokens,
// embedContent, batchEmbedContents, cachedContents, files with their uploads, and the list and the
// entries of models, with Google's wire shapes, errors and wordings. Without a script a small built-in model answers; tests
// script answers, errors, delays, cuts and lock-step streams, per key where they want, from inside the process ([Server]) or
// over HTTP (paths under /_fake/). Everything that was asked is recorded.
//
// What it refuses, in the order it looks (rules.go holds the table, with the source of each wording):
//
//	path                 a path or method that doesn't exist
//	many-credentials     more than one credential: x-goog-api-key, key=, Authorization
//	no-key               no credential
//	unknown-key          a key that isn't among those accepted
//	body-size            a body over 100 MB
//	unknown-model        an unknown model, or one without the method
//	upload               an upload by no known protocol, with pieces out of order, or with a bad file name
//	malformed-json       malformed JSON, or text that isn't UTF-8
//	nesting              more than 100 levels of nesting
//	unknown-name         a field name that the API doesn't have, anywhere
//	wrong-type           a value of the wrong type, an unknown enum value, bad base64; args or response not an object
//	two-data-fields      two data fields in one part
//	count-form           countTokens with both contents and generateContentRequest
//	embed-batch          batchEmbedContents with no request, or more than 100
//	embed-model          a request of a batch without the model of the path, in the form models/x
//	embed-content        nothing to embed, or an empty part
//	embed-media          anything but text for a model that embeds text only
//	embed-dimensions     outputDimensionality below 1 or above the model's own
//	no-contents          no contents
//	no-parts             a content without parts
//	empty-part           a part without a data field ({}); an empty text is legal
//	call-name            a functionCall or functionResponse without a name
//	response-object      a functionResponse without a response
//	role                 a role other than user and model
//	system-text          a system instruction with anything but text
//	single-turn          one content only, and its role is model
//	first-turn           a conversation that begins with a model turn
//	call-turn            a function call turn that isn't right after a user turn or a function response turn
//	response-turn        a function response turn that isn't right after a function call turn
//	response-count       more or fewer responses than calls, calls without any response included
//	response-name        a response whose name is not that of a call of the turn before
//	response-id          a response with an id that is not its call's
//	response-media       functionResponse.parts on Gemini 2.x
//	response-media-type  functionResponse.parts of a type that isn't taken there
//	pdf-size             an inline PDF over 50 MB
//	last-turn            a conversation that ends in a model turn, on 3.5-flash-lite and newer
//	function-name        a function name with other characters, or over 64 of them
//	duplicate-function   a function declared twice
//	two-schemas          parameters beside parametersJsonSchema, or the same of response
//	schema               a proto schema whose structure is wrong
//	empty-object         a proto schema with an object without properties below its top, on 2.x
//	json-schema          a JSON schema with a $ref that leads nowhere, has siblings beyond $-names, or comes back to itself through required properties
//	declarations         more than 512 functions
//	calling-config       functionCallingConfig without declarations
//	allowed-names-mode   allowedFunctionNames with a mode other than ANY and VALIDATED
//	allowed-names        an allowed name that isn't declared
//	built-in-flag        built-in tools beside functions without includeServerSideToolInvocations, on 3 and later
//	built-in-2x          built-in tools beside functions, or the flag, on 2.x
//	json-with-functions  functions or built-in tools beside application/json on 2.x
//	schema-mime          a response schema without application/json, or two of them
//	mime-type            a responseMimeType other than plain text, JSON, XML, YAML and text/x.enum
//	stop-sequences       more than 5 stop sequences
//	candidates           candidateCount out of 1 to 8; over 1 on Gemini 4
//	temperature          a temperature out of 0 to 2
//	top-p                a topP out of 0 to 1
//	output-tokens        maxOutputTokens below 1 or above the model's limit
//	output-tokens-whole  maxOutputTokens above 32768 for generateContent on Gemini 4
//	penalty              presencePenalty or frequencyPenalty on 3.5-flash-lite and newer
//	penalty-range        a penalty below -2, or of 2 and above
//	thinking-none        thinkingConfig on a model that doesn't think
//	thinking-both        thinkingBudget and thinkingLevel together
//	thinking-hidden      includeThoughts beside a thinkingBudget of 0
//	thinking-level       a level that the model doesn't have
//	thinking-budget      a budget out of the model's range; any on Gemini 4
//	cached-content       cachedContent beside systemInstruction, tools or toolConfig; any on Gemini 4
//	cache-form           a cache without a model or contents, or a patch of anything but its expiration
//	cache-size           a cache of fewer tokens than the model caches
//	cache-owner          a cache that doesn't exist, or is of another project
//	cache-model          a cache of another model
//	file-owner           a file of the Files API that doesn't exist, or is of another project
//	continuation         a continuationToken that wasn't given for this very request
//	input-tokens         more input tokens than the model takes
//	signature-missing    no signature on the first call of a step of the current turn, on 3 and later
//	signature-invalid    a signature of the current turn that isn't the fake's, or sits on another part, call or model
//	tool-echo            a toolCall or toolResponse of the current turn that isn't, signature included, what the fake said, on 3 and later
//
// Known to be looser than Google may be, because no source tells what Google says: duplicate names in one JSON object (the
// last one counts); functionResponse and text parts in one content; invalid signatures, and server-side parts that were
// changed, outside of the current turn; signatures on Gemini 2.x; a toolCall without its toolResponse; the types of
// inline media (gif is in no list) and the size of any but PDFs, or their pages; prompt and output together against the
// window of Gemini 4; how large or deep a schema may be under mode ANY, and proto schemas without a type; what a JSON
// schema says beside its references; names inside of the objects of built-in tools but for googleSearch, of retrievalConfig,
// responseFormat, speechConfig, imageConfig, audioTranscriptionConfig and of a part's metadata; safety thresholds, logprobs and output modalities that a model doesn't have; which
// key a continuation token belongs to; texts for embedding that are longer than the model reads, and a title without
// RETRIEVAL_DOCUMENT; uploads under a name that is taken; X-Server-Timeout; quotas that nobody scripted.
//
// Stricter than Google may be: the length of function names (64; documents say 128), names and ids of responses,
// maxOutputTokens above the model's limit, thoughts that are asked for but turned off, siblings of $ref (one report says that description and default may stay),
// server-side parts without a signature.
package fakegemini
